"""The body of a request as it streams in: counted against its limit, and kept only while it is small."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from openmusic_gateway.answers import BODY_TOO_LARGE, BODY_TOO_SLOW, Refused

REPLAYABLE = 65_536  # bytes; a body up to this size is read first, so that it can be sent once more
SLOWEST = 500  # bytes a second, in the long run; as Apache's mod_reqtimeout has it
LOOK_AFTER = 0.5  # seconds that a request takes before it is worth the effort to look whether its client still waits


class ClientGone(Exception):
    """The client hung up; nobody waits for an answer."""


class Body:
    """``limit`` in bytes; ``timeout`` is how many seconds may pass between two pieces, and for all that is too slow."""

    def __init__(self, receive: Any, headers: dict[bytes, bytes], limit: int, timeout: float) -> None:
        self._receive = receive
        self._limit = limit
        self._timeout = timeout
        self._received = 0
        self._begun: float | None = None
        self._announced = int(headers.get(b"content-length", b"-1"))
        self._complete = self._announced <= 0 and b"transfer-encoding" not in headers
        self.small: bytes | None = b"" if self._complete else None

    @property
    def complete(self) -> bool:
        return self._complete

    async def client_gone(self) -> None:
        """Returns when the client has hung up. The body must be complete: what is received here is lost."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def prepare(self) -> None:
        """Reads a body that was announced to be small. Raises Refused for one that was announced to be too large."""
        if self._announced > self._limit:
            raise Refused(413, BODY_TOO_LARGE)
        if 0 < self._announced <= REPLAYABLE:
            self.small = b"".join([chunk async for chunk in self.stream()])

    async def kept(self) -> bytes:
        """All of it, which must not be more than can be sent once more. Raises Refused otherwise."""
        if self.small is None:
            self._limit = min(self._limit, REPLAYABLE)
            self.small = b"".join([chunk async for chunk in self.stream()])
        return self.small

    async def stream(self) -> AsyncIterator[bytes]:
        """The pieces as they come. Raises Refused once they are more than the limit, or too slow."""
        while not self._complete:
            chunk = await self._piece()
            if self._received > self._limit:
                raise Refused(413, BODY_TOO_LARGE)
            if chunk:
                yield chunk

    def _patience(self) -> float:
        """Seconds that the next piece may take. Who sends a byte now and then is not waited for without end."""
        now = asyncio.get_running_loop().time()
        if self._begun is None:
            self._begun = now
        return min(self._timeout, self._begun + self._timeout + self._received / SLOWEST - now)

    async def _piece(self) -> bytes:
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, BODY_TOO_SLOW, {"Connection": "close"}) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self._received += len(chunk)
        self._complete = not message.get("more_body", False)
        return chunk


class WhileClientWaits:
    """Cancels what is done inside ``with`` once the client has hung up; it then ends with ClientGone.

    Most requests are over before the first look, so all they pay for is a timer.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._gone = False
        self._watch: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs every request in a task
        self._task = task
        self._look_later()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._gone and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise ClientGone

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_AFTER, self._look)

    def _look(self) -> None:
        if self._body.complete:
            self._watch = asyncio.create_task(self._cancel_when_gone())
        else:
            self._look_later()  # who reads the body will notice

    async def _cancel_when_gone(self) -> None:
        await self._body.client_gone()
        self._gone = True
        self._task.cancel()
