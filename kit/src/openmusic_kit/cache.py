"""Cache-aside in Redis that is never wrong, only slower when Redis is away. What is in Redis: see ``leases``."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from openmusic_kit import tasks
from openmusic_kit.errors import Unavailable
from openmusic_kit.leases import LeasedEntries
from openmusic_kit.redis_client import open_redis
from openmusic_kit.settings import CacheSettings

logger = logging.getLogger(__name__)

PATIENCE = 0.2  # seconds to wait for another process that is filling the entry
POLL = 0.005  # seconds between looks while waiting for it
OUTAGE = 1.0  # seconds that reads leave Redis alone after it failed; longer than what follows, so that
INVALIDATION_RETRY = 0.2  # seconds later what could not be dropped is gone before others read again
LAST_CHANCE = 1.0  # seconds that dropping entries gets at the end
IN_DOUBT = 5  # seconds that an entry stays fenced when nobody knows whether the change was committed

T = TypeVar("T")

Load = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True)
class Cached:
    """``hit`` tells whether the value came from the cache."""

    value: bytes
    hit: bool


@dataclass
class _Flight:
    """One fill that several readers wait for. Who joins before it ``departed`` may have its result.

    The result is None when another process has filled the entry: then everybody looks again.
    """

    task: asyncio.Task[bytes | None]
    departed: bool = False


@dataclass(eq=False)
class Change:
    """The entries that a change touches; more can be added until it commits."""

    _fence: "Callable[[Change, list[str]], Awaitable[None]]"
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    names: list[str] = field(default_factory=list)
    linger: int = 0

    async def add(self, *keys: str) -> None:
        await self._fence(self, list(keys))


class Cache:
    def __init__(self, redis: Redis, prefix: str) -> None:
        self._entries = LeasedEntries(redis)
        self._prefix = prefix
        self._flights: dict[str, _Flight] = {}
        self._to_drop: dict[str, Change] = {}
        """Entries that could not be dropped after a change, with the last such change; they are not read meanwhile."""
        self._dropping: set[asyncio.Task[None]] = set()
        self._out_until = 0.0
        self._warned = False

    @classmethod
    def from_settings(cls, settings: CacheSettings, prefix: str) -> Self:
        return cls(open_redis(settings), prefix)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._dropping:
                await asyncio.wait(self._dropping, timeout=LAST_CHANCE)
            left = [*self._dropping, *(flight.task for flight in self._flights.values())]
            await tasks.stop(*left)
            await self._entries.aclose()

    async def ping(self) -> None:
        await self._entries.ping()

    async def read(self, key: str, load: Load, ttl: int) -> Cached:
        """The entry, or what ``load`` gives, which is then kept for ``ttl`` seconds. Errors of ``load`` are raised.

        However many readers miss at once, one loads. A reader never gets a value whose loading began before it came.
        """
        name = f"{self._prefix}:{key}"
        while True:
            value = await self._get(name)
            if value is not None:
                return Cached(value, hit=True)
            flight = self._flights.get(name) or self._start(name, load, ttl)
            if flight.departed:
                with suppress(Exception):  # its outcome is for those who were aboard
                    await asyncio.shield(flight.task)
            elif (value := await asyncio.shield(flight.task)) is not None:
                return Cached(value, hit=False)

    @asynccontextmanager
    async def changing(self, *keys: str) -> AsyncIterator[Change]:
        """Wraps a change that commits inside: the entries are fenced before and gone after, come what may."""
        change = Change(self._fence)
        try:
            await change.add(*keys)
            yield change
        except (Unavailable, asyncio.CancelledError):
            change.linger = IN_DOUBT
            raise
        finally:
            await asyncio.shield(self._in_background(self._drop(change)))  # even if the one who waits is cancelled

    async def _fence(self, change: Change, keys: list[str]) -> None:
        names = [f"{self._prefix}:{key}" for key in keys]
        change.names += names
        try:
            await self._entries.fence(names, change.token)
        except (RedisError, OSError) as error:
            self._note_outage(error)  # dropping the entries after the change is repeated until it succeeds

    async def _drop(self, change: Change) -> None:
        try:
            await self._entries.drop(change.names, change.token, change.linger)
        except (RedisError, OSError) as error:
            self._note_outage(error)
            if not self._to_drop:
                self._in_background(self._drop_later())
            self._to_drop.update(dict.fromkeys(change.names, change))

    async def _drop_later(self) -> None:
        while self._to_drop:
            await asyncio.sleep(INVALIDATION_RETRY)
            for change in set(self._to_drop.values()):
                with suppress(RedisError, OSError):
                    await self._entries.drop(change.names, change.token, change.linger)
                    for name in change.names:
                        if self._to_drop.get(name) is change:  # else a later change could not drop it either
                            del self._to_drop[name]

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)
        return task

    def _start(self, name: str, load: Load, ttl: int) -> _Flight:
        flight = _Flight(asyncio.create_task(self._fly(name, load, ttl), name=f"fill {name}"))
        flight.task.add_done_callback(_retrieve)
        self._flights[name] = flight
        return flight

    async def _fly(self, name: str, load: Load, ttl: int) -> bytes | None:
        token = uuid.uuid4().hex
        granted = False
        try:
            await asyncio.sleep(0)  # all who missed in the same moment may come aboard
            answer = await self._attempt(name, lambda: self._entries.lease(name, token))
            granted = answer == "granted"
            if answer == "taken" and await self._other_has_filled(name):
                return None
            self._flights[name].departed = True
            value = await load()
            if granted:
                await self._attempt(name, lambda: self._entries.store(name, token, value, ttl))
        except BaseException:
            if granted:
                await self._attempt(name, lambda: self._entries.release(name, token))
            raise
        else:
            return value
        finally:
            del self._flights[name]

    async def _get(self, name: str) -> bytes | None:
        return await self._attempt(name, lambda: self._entries.get(name))

    async def _other_has_filled(self, name: str) -> bool:
        """Waits while another process fills the entry, and tells whether it did so in time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if await self._get(name) is not None:
                return True
            if not await self._attempt(name, lambda: self._entries.leased(name)):
                return await self._get(name) is not None
            await asyncio.sleep(POLL)
        return False

    async def _attempt(self, name: str, command: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis answers, or None when it does not."""
        if name in self._to_drop or time.monotonic() < self._out_until:
            return None
        try:
            answer = await command()
        except (RedisError, OSError) as error:
            self._note_outage(error)
            return None
        if self._warned:
            logger.info("cache is available again")
            self._warned = False
        return answer

    def _note_outage(self, error: Exception) -> None:
        if not self._warned:
            logger.warning("cache is not available", extra={"error": repr(error)})
            self._warned = True
        self._out_until = time.monotonic() + OUTAGE


def _retrieve(task: asyncio.Task[bytes | None]) -> None:
    """Marks an error as seen, in case every reader has gone away."""
    if not task.cancelled():
        task.exception()
