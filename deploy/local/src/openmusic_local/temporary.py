"""A stack for a test or a measurement: on free ports, with a folder of its own that goes away with it."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openmusic_local.settings import OUT_OF_REACH
from openmusic_local.stack import Stack, repository


@contextmanager
def temporary_stack(settings: Mapping[str, str] | None = None, **options: Any) -> Iterator[Stack]:
    """Nothing runs in it yet; no limit is near but those in ``settings``. ``options`` are those of :class:`Stack`."""
    base = repository() / ".openmusic-test"
    base.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=base))
    folder.chmod(0o755)
    stack = Stack(folder, {**OUT_OF_REACH, **(settings or {})}, preferred_ports={}, **options)
    try:
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)
