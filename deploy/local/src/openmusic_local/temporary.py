"""A stack for a test or a measurement: on free ports, with a folder of its own that goes away with it.

Run as a program, this waits for the end of its input and then removes a stack whose owner was killed.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openmusic_local.settings import UNLIMITED
from openmusic_local.stack import Stack, repository

SOON = {"SMTP_REPLY_TIMEOUT": "10", "EXPORT_REPEAT_AFTER": "20"}
"""Seconds: a mail that is in doubt comes again soon enough to be waited for."""


@contextmanager
def temporary_stack(settings: Mapping[str, str] | None = None, **options: Any) -> Iterator[Stack]:
    """Nothing runs in it yet; no limit is near but those in ``settings``. ``options`` are those of :class:`Stack`."""
    base = repository() / ".openmusic-test"
    base.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=base))
    folder.chmod(0o755)
    stack = Stack(folder, {**UNLIMITED, **SOON, **(settings or {})}, preferred_ports={}, **options)
    survivor = [sys.executable, "-m", __name__, str(folder)]
    with subprocess.Popen(
        survivor,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        try:
            yield stack
        finally:
            _remove(stack, folder)


def _remove(stack: Stack, folder: Path) -> None:
    stack.stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    if (left := Path(sys.argv[1])).exists():
        _remove(Stack(left, {}, preferred_ports={}), left)
