"""Ports: the preferred one if it is free, else another, remembered in the data folder so that it stays the same."""

import fcntl
import json
import os
import random
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

RANGE = range(20000, 32000)  # below 32768, where the kernel begins to hand out ports for outgoing connections
SHARES = 32
"""Processes that work at the same time choose from different shares: a port is chosen before anything listens there."""


def obstacle(port: int, host: str = "127.0.0.1") -> OSError | None:
    """What keeps a program from listening there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


class Ports:
    """Names to ports. ``preferred`` are used where they are free; any other name gets a free port."""

    def __init__(self, memory: Path, preferred: dict[str, int]) -> None:
        self._memory = memory
        self._preferred = preferred
        self._ports: dict[str, int] = json.loads(memory.read_text()) if memory.exists() else {}

    def choose(self, names: list[str], fixed: Mapping[str, int]) -> None:
        """Decides on a port for each name, for the ``fixed`` ones as given; to be called while nothing of ours runs."""
        chosen = dict(fixed)
        for name in names:
            if name not in fixed:
                wanted = self._ports.get(name) or self._preferred.get(name)
                usable = wanted is not None and wanted not in chosen.values() and obstacle(wanted) is None
                chosen[name] = wanted if wanted is not None and usable else self._any_free({*chosen.values()})
        self._ports = chosen
        self._memory.write_text(json.dumps(chosen, indent=2))

    def __getitem__(self, name: str) -> int:
        return self._ports[name]

    def _any_free(self, chosen: set[int]) -> int:
        taken = chosen | set(self._ports.values()) | set(self._preferred.values())
        own = _own_share()
        for port in random.sample(own, len(own)):
            if port not in taken and obstacle(port) is None:
                return port
        raise RuntimeError("No port is free")


@cache
def _own_share() -> range:
    """Ports that no other process chooses from while this one lives; all of them when every share is taken."""
    size = len(RANGE) // SHARES
    for number in range(SHARES):
        if _locked(Path(tempfile.gettempdir(), f"openmusic-ports-{number}.lock")):
            return RANGE[number * size : (number + 1) * size]
    return RANGE


def _locked(path: Path) -> bool:
    """Locks the file until this process ends, unless another has."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o644))
    try:
        file = os.open(path, os.O_RDONLY)  # it may belong to another user
    except PermissionError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    return True
