"""One more gateway beside that of a stack, as when it is scaled out."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from openmusic_local.errors import LocalError
from openmusic_local.program import answers
from openmusic_local.stack import Stack
from openmusic_local.waiting import wait_until

READY_WITHIN = 60.0  # seconds
STOPPED_WITHIN = 20.0


@contextmanager
def another_gateway(stack: Stack, name: str = "gateway-2") -> Iterator[int]:
    """The port of a second gateway, which runs meanwhile. ``port_override`` gets ``name`` for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {**stack.environment("gateway", name), "HOST": "127.0.0.1", "PORT": str(port)}
    command = [sys.executable, "-m", "openmusic_gateway", "serve"]
    with (stack.folder / "log" / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
    try:
        if not wait_until(answers(f"http://127.0.0.1:{port}/health/ready"), READY_WITHIN):
            raise LocalError(f"{name} does not answer")
        yield port
    finally:
        process.terminate()
        process.wait(STOPPED_WITHIN)
