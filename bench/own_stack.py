"""A stack that a bench has for itself, and the processes that it starts beside it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from openmusic_local.stack import Stack
from openmusic_local.temporary import temporary_stack

HERE = Path(__file__).parent


@contextmanager
def own_stack() -> Iterator[Stack]:
    """Everything at its default, on free ports, with no data; all of it is gone afterwards."""
    with temporary_stack() as stack:
        stack.start()
        yield stack


@contextmanager
def served(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[int]:
    """The pid of a process that listens on the port."""
    process = subprocess.Popen(command, env=environment, cwd=HERE, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not _listens(port):
            if time.monotonic() > deadline:
                sys.exit(f"{command} did not start")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False)
    except httpx.HTTPError:
        return False
    return True
