"""One run of wrk, and what it cost."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from processes import forget_peak, peak_memory, processor_time

SCRIPT = Path(__file__).parent / "requests.lua"
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Result:
    """``rate`` in requests/s, ``p50`` and ``p99`` in ms.

    By process: ``cpu`` is seconds of processor per 1000 requests, ``memory`` the megabytes held at the peak.
    """

    rate: float
    p50: float
    p99: float
    errors: int
    cpu: dict[str, float]
    memory: dict[str, float]

    def as_row(self, **named: Any) -> dict[str, Any]:
        return named | asdict(self)


def run(
    url: str,
    requests: list[str],
    *,
    tokens: Sequence[str] = (),
    connections: int = 32,
    seconds: int = 5,
    processes: Mapping[str, int] | None = None,
) -> Result:
    """``requests`` are lines ``USER METHOD PATH BODY``, sent in turn and again from the first; ``processes`` are pids.

    ``USER`` is the number of a token, from 1; a line without it is sent with the first.
    """
    watched = processes or {}
    for pid in watched.values():
        forget_peak(pid)
    before = {name: processor_time(pid) for name, pid in watched.items()}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    with TemporaryDirectory() as folder:
        listed, bearers = Path(folder, "requests"), Path(folder, "tokens")
        listed.write_text("\n".join(requests))
        bearers.write_text("\n".join(tokens))
        command += ["-s", str(SCRIPT), url, str(listed), str(bearers)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    total = int(_found(r"(\d+) requests in", done.stdout))
    used = {name: processor_time(pid) - before[name] for name, pid in watched.items()}
    socket_errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    errors = sum(map(int, socket_errors.groups())) if socket_errors else 0
    return Result(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", done.stdout)),
        p50=_milliseconds(_found(r"\n +50% +(\S+)", done.stdout)),
        p99=_milliseconds(_found(r"\n +99% +(\S+)", done.stdout)),
        errors=errors + int(_found(r"Non-2xx or 3xx responses: (\d+)", done.stdout, "0")),
        cpu={name: round(seconds * 1000 / max(total, 1), 3) for name, seconds in used.items() if seconds > 0},
        memory={name: peak_memory(pid) for name, pid in watched.items()},
    )


def _found(pattern: str, text: str, default: str | None = None) -> str:
    match = re.search(pattern, text)
    if match is None and default is not None:
        return default
    assert match is not None, f"wrk said nothing about {pattern}:\n{text}"
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return round(float(number) * UNITS[unit], 2)
