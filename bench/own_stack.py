"""A stack that a bench has for itself, and the processes that it starts beside it."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from openmusic_local.settings import OUT_OF_REACH
from openmusic_local.stack import Stack, repository

HERE = Path(__file__).parent


@contextmanager
def own_stack() -> Iterator[Stack]:
    """Everything at its default, on free ports, with no data; all of it is gone afterwards."""
    base = repository() / ".openmusic-test"
    base.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=base))
    folder.chmod(0o755)
    stack = Stack(folder, OUT_OF_REACH, preferred_ports={})
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


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
