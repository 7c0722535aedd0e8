"""What the logs of all processes say of one request, in the order of time."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

SHOWN = ("time", "service", "level", "message")
HIDDEN = {"request_id", "logger", "color_message", *SHOWN}


def lines_of(request_id: str, logs: Iterable[Path]) -> list[str]:
    """A line for each record. ``logs`` hold a JSON object a line, and perhaps other lines, which are passed over."""
    found = [record for log in logs for record in _records(log) if record.get("request_id") == request_id]
    return [_line(record) for record in sorted(found, key=lambda record: str(record.get("time")))]


def _records(log: Path) -> Iterator[dict[str, Any]]:
    with log.open(errors="replace") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def _line(record: dict[str, Any]) -> str:
    time, service, level, message = (str(record.get(name, "-")) for name in SHOWN)
    facts = " ".join(f"{name}={value}" for name, value in record.items() if name not in HIDDEN and name != "exc_info")
    trace = f"\n{record['exc_info']}" if "exc_info" in record else ""
    return f"{time} {service:14} {level:7} {message} {facts}".rstrip() + trace
