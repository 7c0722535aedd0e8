"""Ends with 0 when the process of this container is ready. Imports little, because it runs every few seconds.

It also tells the process to end when its secrets have changed, so that the engine starts it again with the new ones.
"""

import os
import signal
import socket
import sys
import time
from pathlib import Path

SECRETS = Path(".env")
NOTE = Path("/tmp/secrets")  # noqa: S108 - in this container's own memory, and gone when it starts again


def secrets_changed() -> bool:
    """Since the process began, which the first check finds out by the clock, and the others by what that one noted."""
    if not SECRETS.exists():
        return False
    file = SECRETS.stat()
    identity = f"{file.st_ino} {file.st_mtime_ns}"
    if NOTE.exists():
        return NOTE.read_text() != identity
    NOTE.write_text(identity)
    return began() < file.st_mtime <= time.time()


def began() -> float:
    """When process 1 did, in seconds since 1970."""
    ticks = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


if secrets_changed():
    os.kill(1, signal.SIGTERM)
with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=2.5) as connection:
    connection.sendall(b"GET /health/ready HTTP/1.0\r\n\r\n")
    sys.exit(b" 200 " not in connection.recv(64))
