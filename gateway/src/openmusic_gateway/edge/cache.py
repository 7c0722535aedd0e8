"""The edge cache as the gateway uses it: get, share one fetch among all who ask at once, purge."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from prometheus_client import Histogram

from openmusic_gateway.asgi import Headers
from openmusic_gateway.edge.channel import LIFETIME, MARGIN, PurgeChannel
from openmusic_gateway.edge.entries import Entries, Entry, Key

PURGE_WAIT = Histogram(
    "openmusic_edge_purge_wait_seconds",
    "Seconds until all gateways had acknowledged a purge, which the response to a change waits for",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)

OpenChannel = Callable[[Callable[[list[str]], None], Callable[[], None]], PurgeChannel]
"""Makes a channel with its ``on_purge`` and ``on_disconnect``."""


@dataclass(frozen=True)
class FetchedResponse:
    """A whole response of a service. Without ``tags`` it must not be kept."""

    headers: Headers
    body: bytes
    tags: tuple[str, ...]

    @cached_property
    def etag(self) -> bytes:
        return b'"%s"' % hashlib.blake2b(self.body, digest_size=12).hexdigest().encode()

    def to_entry(self, expires_at: float) -> Entry:
        headers = [header for header in self.headers if header[0] != b"x-data-source"]
        return Entry([*headers, (b"etag", self.etag)], self.body, self.etag, self.tags, expires_at)


@dataclass(eq=False)
class _InFlightFetch:
    """A fetch that others may wait for. ``entry`` stays None if the response cannot be kept."""

    epoch: int
    expires_at: float
    done: asyncio.Event = field(default_factory=asyncio.Event)
    entry: Entry | None = None

    def is_joinable(self, now: float) -> bool:
        """Only while its response may be kept: a write that waited for LIFETIME relies on it."""
        return now < self.expires_at


class EdgeCache:
    """``capacity`` is in bytes; with 0, or without ``open_channel``, nothing is kept."""

    def __init__(self, capacity: int, open_channel: OpenChannel | None) -> None:
        self._entries = Entries(capacity)
        self._in_flight: dict[Key, _InFlightFetch] = {}
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
        """Returns when no gateway responds any more with what has these tags."""
        self._entries.purge(tags)
        if self._channel is not None:
            with PURGE_WAIT.time():
                await self._channel.purge(tags)

    async def join(self, key: Key, deadline: float) -> Entry | None:
        """Waits for a fetch that is in flight; None if its result must not be used by a read that begins now.

        None also if that fetch failed or was cancelled: then the caller fetches, without waiting for another one.
        Raises TimeoutError at the deadline, which is a time of the event loop.
        """
        fetch = self._in_flight.get(key)
        if fetch is None or not self._fresh or not fetch.is_joinable(time.monotonic()):
            return None
        epoch = self._entries.epoch
        async with asyncio.timeout_at(deadline):
            await fetch.done.wait()
        entry = fetch.entry
        if entry is None or (epoch > fetch.epoch and self._entries.purged_since(entry.tags, fetch.epoch)):
            return None
        return entry

    async def fetch(self, key: Key, load: Callable[[], Awaitable[FetchedResponse | None]]) -> FetchedResponse | None:
        """Returns what ``load`` returns, and keeps it if it may. None is not kept."""
        if not self._fresh:
            return await load()
        fetch = self._in_flight[key] = _InFlightFetch(self._entries.epoch, time.monotonic() + LIFETIME - MARGIN)
        try:
            response = await load()
            if response is not None and response.tags:
                fetch.entry = response.to_entry(fetch.expires_at)
                if self._fresh:
                    self._entries.put(key, fetch.entry, fetch.epoch, time.monotonic())
            return response
        finally:
            if self._in_flight.get(key) is fetch:
                del self._in_flight[key]
            fetch.done.set()

    @property
    def _fresh(self) -> bool:
        return self._channel is not None and self._channel.fresh
