"""The edge cache as the gateway uses it: get, share one fetch among all who ask at once, purge."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from prometheus_client import Histogram

from openmusic_gateway.asgi import Headers
from openmusic_gateway.compression import Compressed
from openmusic_gateway.edge.channel import MARGIN, SHORT_LIFETIME, Listener, PurgeChannel
from openmusic_gateway.edge.entries import Entries, Entry, Key
from openmusic_gateway.edge.generations import Generations
from openmusic_gateway.edge.holds import Holds
from openmusic_kit.web.entity_tags import entity_tag

LIFETIME = 120.0  # seconds that a response may be kept while all its changes are announced

OpenChannel = Callable[[Listener], PurgeChannel]
OpenGenerations = Callable[[Callable[[], None]], Generations]
"""Takes what is called when a generation has moved."""

PURGE_WAIT = Histogram(
    "openmusic_edge_purge_wait_seconds",
    "Seconds until all gateways had acknowledged a purge, which the response to a change waits for",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)


@dataclass(frozen=True)
class FetchedResponse:
    """A whole response of a service. Without ``tags`` it must not be kept.

    ``announced`` is whether its service announces all changes; without ``compressed`` it is sent as it is.
    """

    headers: Headers
    body: bytes
    tags: tuple[str, ...]
    announced: bool = False
    compressed: Compressed | None = None

    @cached_property
    def etag(self) -> bytes:
        """The one that the service gave, or else one of the body."""
        given = next((value for name, value in self.headers if name == b"etag"), None)
        return given or entity_tag(self.body).encode()

    @property
    def tagged_headers(self) -> Headers:
        return [*(header for header in self.headers if header[0] != b"etag"), (b"etag", self.etag)]

    def to_entry(self, expires_at: float, *, announced: bool) -> Entry:
        headers = [header for header in self.tagged_headers if header[0] != b"x-data-source"]
        return Entry(headers, self.body, self.etag, self.tags, expires_at, announced, self.compressed)


@dataclass(eq=False)
class _InFlightFetch:
    """A fetch that others may wait for. ``entry`` stays None if the response cannot be kept."""

    epoch: int
    began_at: float
    done: asyncio.Event = field(default_factory=asyncio.Event)
    entry: Entry | None = None

    def is_joinable(self, now: float) -> bool:
        """A write that waited for MAX_WAIT relies on it."""
        return now < self.began_at + SHORT_LIFETIME - MARGIN


class EdgeCache:
    """``capacity`` is in bytes; with 0 nothing is kept.

    A response is kept for LIFETIME while every change of it reaches this gateway for certain: by a purge, by the hold
    that announced it, or by a generation that moved with it. Otherwise it is kept for SHORT_LIFETIME.
    """

    def __init__(self, capacity: int, open_channel: OpenChannel, open_generations: OpenGenerations) -> None:
        self._entries = Entries(capacity)
        self._in_flight: dict[Key, _InFlightFetch] = {}
        self._holds = Holds()
        self._generations = open_generations(self._entries.clear)
        self._channel = open_channel(self) if capacity else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self._channel is not None:
                await stack.enter_async_context(self._channel.running())
                await stack.enter_async_context(self._generations.running())
            yield

    def get(self, key: Key) -> Entry | None:
        entry = self._entries.get(key, time.monotonic()) if self._fresh else None
        return None if entry is not None and entry.announced and not self._generations.known else entry

    async def purge(self, tags: list[str], lifted: list[str]) -> None:
        """Returns when no gateway responds any more with what has these tags. ``lifted`` are holds that end."""
        self.on_purge(tags, lifted)
        if self._channel is not None:
            with PURGE_WAIT.time():
                await self._channel.purge(tags, lifted)

    def on_hold(self, hold_id: str, tags: list[str], seconds: float) -> None:
        now = time.monotonic()
        self._holds.add(hold_id, tags, now + seconds, now)
        self._entries.purge(tags)

    def on_purge(self, tags: list[str], lifted: list[str]) -> None:
        self._entries.purge(tags)
        self._holds.lift(lifted)

    def on_disconnect(self) -> None:
        self._entries.clear()

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
        fetch = self._in_flight[key] = _InFlightFetch(self._entries.epoch, time.monotonic())
        try:
            response = await load()
            if response is not None and response.tags:
                announced = self._is_announced(response, fetch.began_at)
                lifetime = LIFETIME if announced else SHORT_LIFETIME
                fetch.entry = response.to_entry(fetch.began_at + lifetime - MARGIN, announced=announced)
                if self._fresh:
                    self._entries.put(key, fetch.entry, fetch.epoch, time.monotonic())
            return response
        finally:
            if self._in_flight.get(key) is fetch:
                del self._in_flight[key]
            fetch.done.set()

    def _is_announced(self, response: FetchedResponse, began_at: float) -> bool:
        """Whether each change that a fetch from ``began_at`` on may have missed was announced, or will be."""
        if not response.announced:
            return False
        self._generations.want()
        return (
            self._channel is not None
            and self._channel.complete_since + self._generations.longest_change <= began_at
            and self._generations.settled_since <= began_at
            and not self._holds.cover(response.tags, began_at)
        )

    @property
    def _fresh(self) -> bool:
        return self._channel is not None and self._channel.fresh
