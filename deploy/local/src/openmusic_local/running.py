"""The processes of an installation, found without its supervisor, which may have been killed.

The supervisor and all that it starts carry the data folder in their environment. PostgreSQL runs as another user, and
not every root may read that user's environments; but it is in the session of the others.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from openmusic_local.errors import LocalError
from openmusic_local.waiting import wait_until

_MARK = "OPENMUSIC_SUPERVISED"


def mark(folder: Path) -> dict[str, str]:
    """What the environment of the supervisor must hold."""
    return {_MARK: str(folder)}


def find(folder: Path) -> dict[int, int]:
    """All processes of this installation that run: their ids, and the session of each."""
    sessions = dict(_sessions())
    own = {session for pid, session in sessions.items() if _is_marked(pid, folder)}
    return {pid: session for pid, session in sessions.items() if session in own}


def remaining(processes: dict[int, int]) -> dict[int, int]:
    """Those that have not ended. One that is about to has no environment any more: ``find`` may miss it."""
    return dict(processes.items() & dict(_sessions()).items())


def end(folder: Path) -> None:
    """Asks them to end, makes those end that do not, and returns when all have."""
    while processes := find(folder):
        _end(processes)


def _end(processes: dict[int, int]) -> None:
    for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
        for pid in remaining(processes):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if wait_until(lambda: not remaining(processes), patience):
            return
    raise LocalError(f"These processes do not end: {', '.join(map(str, sorted(remaining(processes))))}")


def _sessions() -> Iterator[tuple[int, int]]:
    """Each process that has not ended, and its session."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                yield int(path.parent.name), int(session)


def _is_marked(pid: int, folder: Path) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{_MARK}={folder}".encode() in environment.split(b"\0")
