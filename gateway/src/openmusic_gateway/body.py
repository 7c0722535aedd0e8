"""The body of a request: limited in size and time, streamed, and buffered only if it is small."""

import asyncio
from collections.abc import AsyncIterator

from openmusic_gateway.asgi import Receive
from openmusic_gateway.responses import BODY_TOO_LARGE, BODY_TOO_SLOW, HttpError

MAX_BUFFERED = 65_536  # bytes; a body up to this size is buffered first, so that the request can be repeated
MIN_UPLOAD_RATE = 500  # bytes per second, averaged over the upload; the default of Apache's mod_reqtimeout
DISCONNECT_CHECK_DELAY = 0.5  # seconds that a request takes before it is worthwhile to watch for a disconnect


class ClientDisconnected(Exception):
    """The client closed the connection, so nobody receives a response."""


class Body:
    """``limit`` in bytes; ``timeout`` in seconds between two chunks, and added to what MIN_UPLOAD_RATE allows."""

    def __init__(self, receive: Receive, headers: dict[bytes, bytes], limit: int, timeout: float) -> None:
        self._receive = receive
        self._limit = limit
        self._timeout = timeout
        self._received = 0
        self._started_at: float | None = None
        self._content_length = int(headers.get(b"content-length", b"-1"))
        self._complete = self._content_length <= 0 and b"transfer-encoding" not in headers
        self.buffered: bytes | None = b"" if self._complete else None

    @property
    def complete(self) -> bool:
        return self._complete

    async def wait_for_disconnect(self) -> None:
        """The body must be complete: what is received here is lost."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def buffer_if_small(self) -> None:
        """Reads the body if its announced length is small. Raises HttpError (413) if it is above the limit."""
        if self._content_length > self._limit:
            raise self._too_large()
        if 0 < self._content_length <= MAX_BUFFERED:
            await self.read()

    async def read(self) -> bytes:
        """Buffers the whole body. Raises HttpError (413) if it has more than MAX_BUFFERED bytes."""
        if self.buffered is None:
            self._limit = min(self._limit, MAX_BUFFERED)
            self.buffered = b"".join([chunk async for chunk in self.stream()])
        return self.buffered

    async def stream(self) -> AsyncIterator[bytes]:
        """The chunks as they arrive. Raises HttpError once they exceed the limit (413) or are too slow (408)."""
        while not self._complete:
            chunk = await self._next_chunk()
            if self._received > self._limit:
                raise self._too_large()
            if chunk:
                yield chunk

    def _too_large(self) -> HttpError:
        return HttpError(413, f"{BODY_TOO_LARGE}: at most {self._limit} bytes")

    def _too_slow(self) -> HttpError:
        limits = f"at most {self._timeout:g} s without a byte, and at least {MIN_UPLOAD_RATE} bytes per second"
        return HttpError(408, f"{BODY_TOO_SLOW}: {limits}", {"Connection": "close"})

    async def _next_chunk(self) -> bytes:
        try:
            async with asyncio.timeout(self._time_left()):
                message = await self._receive()
        except TimeoutError:
            raise self._too_slow() from None
        if message["type"] != "http.request":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        self._received += len(chunk)
        self._complete = not message.get("more_body", False)
        return chunk

    def _time_left(self) -> float:
        """Seconds that the next chunk may take: ``timeout``, or less for an upload below MIN_UPLOAD_RATE."""
        now = asyncio.get_running_loop().time()
        if self._started_at is None:
            self._started_at = now
        return min(self._timeout, self._started_at + self._timeout + self._received / MIN_UPLOAD_RATE - now)


class CancelOnDisconnect:
    """Cancels the block inside ``with`` when the client disconnects; the block then raises ClientDisconnected.

    Most requests end before the first check, so that all they pay for is a timer.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._disconnected = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs every request in a task
        self._task = task
        self._check_later()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._disconnected and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise ClientDisconnected

    def _check_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(DISCONNECT_CHECK_DELAY, self._check)

    def _check(self) -> None:
        if self._body.complete:
            self._watcher = asyncio.create_task(self._cancel_on_disconnect())
        else:
            self._check_later()  # until then, reading the body reveals a disconnect

    async def _cancel_on_disconnect(self) -> None:
        await self._body.wait_for_disconnect()
        self._disconnected = True
        self._task.cancel()
