"""Lost packets without any privilege: a socket filter that lets nothing in.

Linux drops what the filter of a socket refuses before TCP sees it (socket(7), SO_ATTACH_FILTER): nothing is
acknowledged, no reset is sent, and a listening socket answers no SYN. To the other side the machine is gone.
"""

import ctypes
import os
import socket
import struct
from typing import Protocol

_ATTACH, _DETACH = 26, 27  # SO_ATTACH_FILTER, SO_DETACH_FILTER, which Python does not name
_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
"""``struct sock_filter``: BPF_RET | BPF_K with 0, that is, let 0 bytes in."""
_PROGRAM = struct.pack("HL", 1, ctypes.addressof(_NOTHING))
"""``struct sock_fprog``: how many instructions, and where."""


class HasFile(Protocol):
    def fileno(self) -> int: ...


def drop_packets(of: HasFile) -> None:
    """Also those that the other side of a connection sends to say that it is closed."""
    _set(of, _ATTACH, _PROGRAM)


def take_packets(of: HasFile) -> None:
    _set(of, _DETACH, bytes(4))


def _set(of: HasFile, option: int, value: bytes) -> None:
    """Through a copy of the descriptor, as sockets of an event loop do not let their options be set."""
    with socket.socket(fileno=os.dup(of.fileno())) as copy:
        copy.setsockopt(socket.SOL_SOCKET, option, value)
