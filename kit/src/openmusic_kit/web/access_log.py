"""A line for each request, in the shape of all other logs, at a tenth of what the logging module costs for it.

Lines are written together a moment later; the process's end writes what is left.
"""

import json
import time
from collections.abc import Callable
from select import PIPE_BUF
from typing import TextIO

from openmusic_kit.logs import TIME_FORMAT

DELAY = 0.1  # seconds that a line may wait to be written

Later = Callable[[float, Callable[[], None]], object]


class AccessLog:
    """``later`` calls a function after so many seconds, as an event loop's ``call_later`` does."""

    def __init__(self, service: str, later: Later, output: TextIO) -> None:
        self._service = service
        self._later = later
        self._output = output
        self._lines: list[str] = []
        self._second = 0
        self._formatted = ""

    def add(self, method: str, path: str, status: int, seconds: float, request_id: str, more: str = "") -> None:
        """``seconds`` is what the request took; ``request_id`` and ``method`` need no escaping.

        ``more`` are further members of the JSON object, each with a comma before it.
        """
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._formatted = time.strftime(TIME_FORMAT, time.gmtime(now))
        if not self._lines:
            self._later(DELAY, self.flush)
        self._lines.append(
            f'{{"time": "{self._formatted}.{int(now % 1 * 1000):03d}Z", "level": "INFO", "logger": "access", '
            f'"message": "request", "request_id": "{request_id}", "service": "{self._service}", "method": "{method}", '
            f'"path": {json.dumps(path)}, "status": {status}, "duration_ms": {seconds * 1000:.2f}{more}}}\n'
        )

    def flush(self) -> None:
        """Writes whole lines, few enough at once that no other process can write to the same pipe between them."""
        lines, self._lines = self._lines, []
        block = ""
        for line in lines:
            if len(block) + len(line) > PIPE_BUF:
                self._write(block)
                block = ""
            block += line
        self._write(block)

    def _write(self, block: str) -> None:
        if block:
            self._output.write(block)
            self._output.flush()
