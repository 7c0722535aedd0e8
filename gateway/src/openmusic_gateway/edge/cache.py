"""The edge cache as the gateway uses it: look, fetch once however many ask, keep, purge."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from openmusic_gateway.edge.channel import LIFETIME, MARGIN, PurgeChannel
from openmusic_gateway.edge.entries import Entries, Entry, Key

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    """An answer of a service, whole. ``tags`` are empty when it must not be kept."""

    headers: Headers
    body: bytes
    tags: tuple[str, ...]

    @cached_property
    def etag(self) -> bytes:
        return b'"%s"' % hashlib.blake2b(self.body, digest_size=12).hexdigest().encode()


@dataclass(eq=False)
class _Flight:
    """One fetch that several may wait for; what it gave is None unless it can be kept."""

    since: int
    expires_at: float
    landed: asyncio.Event = field(default_factory=asyncio.Event)
    entry: Entry | None = None

    def may_be_joined(self, now: float) -> bool:
        """For as long as what it gives could be kept: after a write that waited for LIFETIME, nobody gets it."""
        return now < self.expires_at


class EdgeCache:
    """``open_channel`` makes the channel to the other gateways; None for a gateway that keeps nothing."""

    def __init__(self, capacity: int, open_channel: Callable[..., PurgeChannel] | None) -> None:
        self._entries = Entries(capacity)
        self._flights: dict[Key, _Flight] = {}
        self._channel = open_channel(self._entries.purge, self._entries.clear) if open_channel and capacity else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self._channel is not None:
                await stack.enter_async_context(self._channel.running())
            yield

    def get(self, key: Key) -> Entry | None:
        return self._entries.get(key, time.monotonic()) if self._fresh else None

    async def purge(self, tags: list[str]) -> None:
        """Returns when no gateway answers any more with what has these tags."""
        self._entries.purge(tags)
        if self._channel is not None:
            await self._channel.purge(tags)

    async def fetched(self, key: Key, deadline: float) -> Entry | None:
        """What somebody is fetching already, if it may be given to someone who asks only now.

        None also when that fetch failed or was given up: who waited then fetches without waiting for another one.
        Raises TimeoutError at the deadline, which is a time of the event loop.
        """
        flight = self._flights.get(key)
        if flight is None or not self._fresh or not flight.may_be_joined(time.monotonic()):
            return None
        asked = self._entries.moment
        async with asyncio.timeout_at(deadline):
            await flight.landed.wait()
        entry = flight.entry
        if entry is None or (asked > flight.since and self._entries.purged_since(entry.tags, flight.since)):
            return None
        return entry

    async def fetch(self, key: Key, load: Callable[[], Awaitable[Answer | None]]) -> Answer | None:
        """What ``load`` gives, which is kept if it may be. None is passed through."""
        if not self._fresh:
            return await load()
        flight = self._flights[key] = _Flight(self._entries.moment, time.monotonic() + LIFETIME - MARGIN)
        try:
            answer = await load()
            if answer is not None and answer.tags:
                flight.entry = entry_of(answer, flight.expires_at)
                if self._fresh:
                    self._entries.put(key, flight.entry, flight.since, time.monotonic())
            return answer
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.landed.set()

    @property
    def _fresh(self) -> bool:
        return self._channel is not None and self._channel.fresh


def entry_of(answer: Answer, expires_at: float) -> Entry:
    kept = [header for header in answer.headers if header[0] != b"x-data-source"]
    return Entry([*kept, (b"etag", answer.etag)], answer.body, answer.etag, answer.tags, expires_at)


def not_modified(etag: bytes, asked: bytes) -> bool:
    """Whether ``If-None-Match`` names this version (RFC 9110, section 13.1.2)."""
    return asked == b"*" or etag in [each.strip().removeprefix(b"W/") for each in asked.split(b",")]
