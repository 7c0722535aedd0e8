"""What a process used, by /proc."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")  # of processor time in a second


def processor_time(pid: int) -> float:
    """Seconds of a process and of all its descendants, those that ended included."""
    running = dict(_stat_lines())
    family = {pid}
    while more := {each for each, fields in running.items() if int(fields[1]) in family} - family:
        family |= more
    return sum(int(running[each][field]) for each in family & running.keys() for field in _TIMES) / TICKS


def memory(pid: int) -> float:
    """Megabytes that it holds now."""
    return _status(pid, "VmRSS")


def peak_memory(pid: int) -> float:
    """Megabytes that it held at most since :func:`forget_peak`."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


_TIMES = range(11, 15)  # user, system, and both of the children that were waited for: proc(5), without pid and name


def _stat_lines() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it ended meanwhile
                yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()


def _status(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return round(int(found[1]) * 1024 / 1_000_000, 1)
