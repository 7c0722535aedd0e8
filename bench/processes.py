"""What a process used, by /proc."""

import os
import re
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")  # of processor time in a second


def processor_time(pid: int) -> float:
    """Seconds since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """Megabytes that it holds now."""
    return _status(pid, "VmRSS")


def peak_memory(pid: int) -> float:
    """Megabytes that it held at most since :func:`forget_peak`."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return round(int(found[1]) * 1024 / 1_000_000, 1)
