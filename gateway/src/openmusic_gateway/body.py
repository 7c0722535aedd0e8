"""The body of a request as it streams in: counted against its limit, and kept only while it is small."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from openmusic_gateway.answers import BODY_TOO_LARGE, Refused

REPLAYABLE = 65_536  # bytes; a body up to this size is read first, so that it can be sent once more
DRAIN_LIMIT = 16 * 1024 * 1024  # bytes of a refused body that are read, so that the client gets to see the answer
DRAIN_SECONDS = 5.0


class ClientGone(Exception):
    """The client hung up; nobody waits for an answer."""


class Body:
    def __init__(self, receive: Any, headers: dict[bytes, bytes], limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0
        self._announced = int(headers.get(b"content-length", b"-1"))
        self._complete = self._announced <= 0 and b"transfer-encoding" not in headers
        self.small: bytes | None = b"" if self._complete else None

    async def prepare(self) -> None:
        """Reads a body that was announced to be small. Raises Refused for one that was announced to be too large."""
        if self._announced > self._limit:
            await self._drain()
            raise Refused(413, BODY_TOO_LARGE)
        if 0 < self._announced <= REPLAYABLE:
            self.small = b"".join([chunk async for chunk in self.stream()])

    async def stream(self) -> AsyncIterator[bytes]:
        """The pieces as they come. Raises Refused once they are more than the limit."""
        while not self._complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            self._received += len(chunk)
            self._complete = not message.get("more_body", False)
            if self._received > self._limit:
                await self._drain()
                raise Refused(413, BODY_TOO_LARGE)
            if chunk:
                yield chunk

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._complete and self._received < DRAIN_LIMIT:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    self._received += len(message.get("body", b""))
                    self._complete = not message.get("more_body", False)
        except TimeoutError:
            pass
