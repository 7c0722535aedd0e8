"""uvicorn's HTTP protocol with a bound on time and size in every state, and one error shape for what is not HTTP.

The head is the request line and the headers. What a connection waits for, and for how long:

================================  ==========================================================================
state                             ends
================================  ==========================================================================
connected, nothing came           after HEAD_TIMEOUT with 408; blank lines do not prolong it
a head has begun                  after HEAD_TIMEOUT with 408, not before the answer before it has ended;
                                  after ``head_limit`` bytes with 431
a body comes in                   after ``body_timeout`` without a byte, while the application wants more,
                                  with 408; its size and rate are the application's business
the application answers           by the application's deadlines
the client does not read          after SEND_TIMEOUT without progress: aborted
answered, a body still comes      after DRAIN_TIMEOUT or DRAIN_LIMIT bytes: closed
idle between two requests         after uvicorn's ``timeout_keep_alive``: closed; blank lines do not prolong it
closing while a body comes        half closed, so that the client reads the answer; then as for a body above
closed, the client does not read  after SEND_TIMEOUT: aborted
================================  ==========================================================================
"""

import asyncio
import json
from functools import partial
from ipaddress import ip_address
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from openmusic_kit.timers import Timer
from openmusic_kit.web.failures import Failure
from openmusic_kit.web.upgrades import UpgradeIgnoringParser

HEAD_TIMEOUT = 15.0  # seconds that a client has to send a head, and to begin with one after it connected
BODY_TIMEOUT = 60.0  # seconds
SEND_TIMEOUT = 180.0  # seconds; a client that takes 500 bytes a second empties the buffer of 64 kB in less
DRAIN_TIMEOUT = 5.0  # seconds in which a body that nobody wants is read, so that its client gets to see the answer
DRAIN_LIMIT = 16 * 1024 * 1024  # bytes
DRAIN_LIMIT_OF_HEAD = 1024 * 1024  # bytes, after what was no request
ANNOUNCEMENT = b"PROXY "
ANNOUNCEMENT_LIMIT = 105  # bytes without the end of the line, by the specification of the protocol
_HEADERS = (
    b"content-type: application/json\r\n"
    b"cache-control: no-store\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
    b"referrer-policy: no-referrer\r\n"
    b"connection: close\r\n"
)


def bounded(
    limit: int, timeout: float = HEAD_TIMEOUT, body_timeout: float = BODY_TIMEOUT, *, announced: bool = False
) -> type[HttpToolsProtocol]:
    """A protocol class that answers 431 to an unfinished head of more than ``limit`` bytes, 408 to a slow client.

    Connections that are ``announced`` may begin with a line of the PROXY protocol, which is believed.
    """
    kind = _AnnouncedProtocol if announced else _BoundedProtocol
    return type("Bounded", (kind,), {"head_limit": limit, "head_timeout": timeout, "body_timeout": body_timeout})


class _Lingering:
    """The transport of one connection, which is not closed under a client that still sends (RFC 9112, section 9.6)."""

    def __init__(self, transport: asyncio.Transport, protocol: "_BoundedProtocol") -> None:
        self._transport = transport
        self.write = transport.write
        self.is_closing = protocol.is_closing
        self.close = protocol.close
        self.resume_reading = protocol.resume_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def _close_what_was_not_read(app: Any, scope: Any, receive: Any, send: Any) -> None:
    """For a client that waits for ``100 Continue``: if it gets its answer first, it may or may not send the body."""
    read = False

    async def receive_noting() -> Any:
        nonlocal read
        read = True
        return await receive()

    async def send_closing(message: Any) -> None:
        if message["type"] == "http.response.start" and not read:
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    await app(scope, receive_noting, send_closing)


class _BoundedProtocol(HttpToolsProtocol):
    head_limit: int
    head_timeout: float
    body_timeout: float

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.parser = UpgradeIgnoringParser(self)
        self._application = self.app
        self._wire: asyncio.Transport
        self._head_open = False
        self._head_size = 0
        self._only_head = True
        """Whether what came in at once is all of the open head: not the end of a body or another request as well."""
        self._read_again = False
        """Whether the open head asks for another protocol."""
        self._body_open = False
        self._last_piece = 0.0
        self._drained = 0
        self._drain_limit = DRAIN_LIMIT
        self._answering: RequestResponseCycle | None = None
        self._closing = False
        self._timer = Timer(self.loop)
        """Of what the client has to send."""
        self._reading_timer = Timer(self.loop)
        """Of what the client has to read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._wire = transport
        super().connection_made(_Lingering(transport, self))  # type: ignore[arg-type]  # it passes on what it lacks
        self._timer.start(self.head_timeout, self._time_is_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        if self._answering is not None and not self._answering.response_complete:  # it need not be the newest request
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)
        self._timer.stop()
        self._reading_timer.stop()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._drain(len(data))
            return
        self._only_head = not self._body_open
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(400, "The request is not valid HTTP")
        if self._closing:
            return
        if self._head_open:
            self._bound_head(len(data))
        elif self._body_open and not self.cycle.response_complete:
            self._last_piece = self.loop.time()
            if not self._timer.running:
                self._timer.start(self.body_timeout, self._look_at_body)

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        self._timer.stop()
        self._head_open = True
        self._read_again = False
        self._head_size = self._drained = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value.rstrip(b" \t"))  # RFC 9112, section 5.1; the parser removes what is before it

    def on_headers_complete(self) -> None:
        if self._closing or self.parser.get_method() == b"CONNECT":
            raise ValueError("nothing is read after this")
        if self.parser.should_upgrade():
            self._read_again = True
            return
        self._head_open = self._only_head = False
        self._timer.stop()
        self._body_open = True
        self.app = self._application
        if self.expect_100_continue:
            self.expect_100_continue = self._continues()
            if self.expect_100_continue:
                self.app = partial(_close_what_was_not_read, self._application)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._drain(len(body))
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._read_again:
            return
        self._body_open = False
        self._timer.stop()
        if self._closing:
            return
        if self.cycle.response_complete:  # nobody wanted the body
            self._timer.start(self.timeout_keep_alive, self._hang_up)
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._closing or not self.cycle.response_complete:
            return
        if self._body_open:
            self._unset_keepalive_if_required()
            self._timer.start(DRAIN_TIMEOUT, self._hang_up)
        elif self._head_open:
            self._unset_keepalive_if_required()
            self._timer.start(self.head_timeout, self._time_is_up)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading_timer.start(SEND_TIMEOUT, self._wire.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading_timer.stop()

    def head_without_upgrade(self) -> bytes:
        """What was read of the open head."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def is_closing(self) -> bool:
        return self._closing or self._wire.is_closing()

    def close(self) -> None:
        """For uvicorn, which calls it after a last answer, or in the middle of one that failed."""
        if self._body_open and not self._closing and not self._is_answering():
            self._linger()
        else:
            self._hang_up()

    def resume_reading(self) -> None:
        self._last_piece = self.loop.time()  # until now the client could not send
        self._wire.resume_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _should_upgrade(self) -> bool:
        return False

    def _continues(self) -> bool:
        """Whether the client waits for 100 before it sends a body (RFC 9110, section 10.1.1)."""
        has_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
            for name, value in self.headers
        )
        return has_body and self.parser.get_http_version() != "1.0"

    def _bound_head(self, size: int) -> None:
        if self._only_head:
            self._head_size += size
        if self._head_size > self.head_limit:
            self._refuse(431, f"The request headers are too large: at most {self.head_limit} bytes")
        elif not self._timer.running and not self._is_answering():
            self._timer.start(self.head_timeout, self._time_is_up)

    def _look_at_body(self) -> None:
        if self.flow.read_paused:
            self._last_piece = self.loop.time()
        left = self._last_piece + self.body_timeout - self.loop.time()
        if left > 0:
            self._timer.start(left, self._look_at_body)
        else:
            self._time_is_up()

    def _drain(self, size: int) -> None:
        self._drained += size
        if self._drained > self._drain_limit:
            self._hang_up()

    def _time_is_up(self) -> None:
        body, head = f"{self.body_timeout:g} s without a byte of the body", f"{self.head_timeout:g} s for the headers"
        self._refuse(408, f"The request took too long: at most {body if self._body_open else head}")

    def _refuse(self, status: int, message: str) -> None:
        """Says why and hangs up. It says nothing while an earlier request is being answered, and after this one was."""
        if self._closing:
            return
        if self._interrupt() if self._body_open else not self._is_answering():
            body = json.dumps(Failure(status, message).contract_shape()).encode()
            if not self._body_open:
                self._drain_limit = DRAIN_LIMIT_OF_HEAD
            self._wire.write(STATUS_LINE[status] + _HEADERS + b"content-length: %d\r\n\r\n" % len(body) + body)
            self._linger()
        else:
            self._hang_up()

    def _interrupt(self) -> bool:
        """Cuts off the application whose request body went wrong; False if it is too late to answer anything else."""
        if self.pipeline or self.cycle.response_started:
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    def _linger(self) -> None:
        if self._wire.is_closing():
            return
        self._closing = True
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self._wire.can_write_eof():
            self._wire.write_eof()
        self._timer.start(DRAIN_TIMEOUT, self._hang_up)

    def _hang_up(self) -> None:
        self._closing = True
        self._timer.stop()
        self._wire.close()
        if self._wire.get_write_buffer_size() and not self._reading_timer.running:
            self._reading_timer.start(SEND_TIMEOUT, self._wire.abort)


class _AnnouncedProtocol(_BoundedProtocol):
    """A proxy says first whose connection it is: version 1 of the PROXY protocol, as HAProxy's documentation has it.

    Whoever connects past the proxy says nothing, such as a health check.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._opening: bytes | None = b""
        """What came in while it may be an announcement; None when it is over."""

    def data_received(self, data: bytes) -> None:
        if self._opening is None or self._closing:
            super().data_received(data)
            return
        self._opening += data
        line, end, rest = self._opening.partition(b"\r\n")
        if not ANNOUNCEMENT.startswith(self._opening[: len(ANNOUNCEMENT)]):
            rest = self._opening
        elif len(line) > ANNOUNCEMENT_LIMIT or (end and not self._believe(line)):
            self._refuse(400, "The announcement of the connection is not valid")
            return
        elif not end:
            return
        self._opening = None
        if rest:
            super().data_received(rest)

    def _believe(self, line: bytes) -> bool:
        """``PROXY TCP4 <client> <server> <port of the client> <port of the server>``, TCP6, or PROXY UNKNOWN."""
        match line.decode("ascii", "replace").split(" "):
            case [_, "UNKNOWN", *_]:
                return True
            case [_, "TCP4" | "TCP6", client, _, port, _] if port.isdecimal():
                try:
                    self.client = (str(ip_address(client)), int(port))
                except ValueError:
                    return False
                return True
        return False
