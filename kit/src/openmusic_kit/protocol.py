"""uvicorn's HTTP protocol, bounded while a request's head comes in, and with the one error shape for what is not HTTP.

The head is the request line and the headers. Everything behind it is the application's business.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_TIMEOUT = 15.0  # seconds that a client has to send a head, and to begin with one after it connected
_HEADERS = (
    b"content-type: application/json\r\n"
    b"cache-control: no-store\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
    b"referrer-policy: no-referrer\r\n"
    b"connection: close\r\n"
)


def bounded(limit: int, timeout: float = HEAD_TIMEOUT) -> type[HttpToolsProtocol]:
    """A protocol class that answers 431 to an unfinished head of more than ``limit`` bytes, 408 to a slow one."""

    class Bounded(_BoundedProtocol):
        head_limit = limit
        head_timeout = timeout

    return Bounded


class _BoundedProtocol(HttpToolsProtocol):
    head_limit: int
    head_timeout: float

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_open = False
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_open = False
        self._only_head = True
        """Whether what came in at once is all of the open head: not the end of a body or another request as well."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._only_head = not self._body_open
        super().data_received(data)
        if not self._head_open or self.transport.is_closing():
            return
        if self._only_head:
            self._head_size += len(data)
        if self._head_size > self.head_limit:
            self._refuse(431, "The request headers are too large")
        elif self._head_timer is None:
            self._start_timer()

    def on_message_begin(self) -> None:
        self._head_open = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_open = self._only_head = False
        self._stop_timer()
        if self.parser.should_upgrade() and {b"content-length", b"transfer-encoding"} & {
            name for name, _ in self.headers
        }:
            self._refuse(400, "A request with a body cannot ask for another protocol")  # its body would get lost
            return
        self._body_open = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._body_open = False
        if not self.transport.is_closing():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - its text is for the log
        self._refuse(400, "The request is not valid HTTP")

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout, self._refuse, 408, "The request took too long")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _interrupted(self) -> bool:
        """Whether it is a body that went wrong, to which nothing was answered yet; the application is then cut off."""
        if not self._body_open or self.pipeline or self.cycle is None or self.cycle.response_started:
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    def _refuse(self, status: int, message: str) -> None:
        """Says why and hangs up. While an earlier request is being answered, nothing can be said."""
        if self.cycle is None or self.cycle.response_complete or self._interrupted():
            body = json.dumps({"status": "fail", "message": message}).encode()
            self.transport.write(STATUS_LINE[status] + _HEADERS + b"content-length: %d\r\n\r\n" % len(body) + body)
        self.transport.close()
