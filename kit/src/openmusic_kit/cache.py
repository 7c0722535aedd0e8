"""Cache-aside in Redis that is never wrong: leases for those who fill, fences for those who change.

The lease idea is from Nishtala et al., "Scaling Memcache at Facebook" (NSDI 2013): who finds nothing may fill the
entry only with a token, and a change takes the token away, so that a fill that raced with it is not stored. A change
also fences the entry *before* it commits: even if the process dies before it could invalidate, nothing old is there.

``<key>`` holds the value; ``<key>:lease`` holds ``r:<token>`` while a reader fills it and ``w:<token>`` while a writer
changes it.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from openmusic_kit.settings import CacheSettings

logger = logging.getLogger(__name__)

LEASE_LIFETIME = 10  # seconds; longer than any fill may take
FENCE_LIFETIME = 90  # seconds; longer than PostgreSQL lets a transaction idle
PATIENCE = 0.2  # seconds to wait for another process that is filling the entry
POLL = 0.005  # seconds between looks while waiting for it
OUTAGE = 1.0  # seconds that reads leave Redis alone after it failed
SOCKET_TIMEOUT = 0.25  # seconds
INVALIDATION_RETRY = 0.2  # seconds
BATCH = 500  # keys of one pipeline

_STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

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


@dataclass
class Change:
    """The entries that a change touches; more can be added until it commits."""

    _cache: "Cache"
    keys: list[str] = field(default_factory=list)

    async def add(self, *keys: str) -> None:
        self.keys.extend(keys)
        await self._cache.fence(keys)


class Cache:
    """Without Redis everything is loaded from its source: slower, not wrong."""

    def __init__(self, redis: "Redis", prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._store_script = redis.register_script(_STORE)
        self._release_script = redis.register_script(_RELEASE)
        self._flights: dict[str, _Flight] = {}
        self._not_invalidated: set[str] = set()
        self._out_until = 0.0
        self._retrying: asyncio.Task[None] | None = None
        self._invalidating: set[asyncio.Task[None]] = set()

    @classmethod
    def from_settings(cls, settings: CacheSettings, prefix: str) -> Self:
        password = settings.redis_password
        redis = Redis(
            host=settings.redis_server,
            port=settings.redis_port,
            password=password.get_secret_value() if password else None,
            socket_timeout=SOCKET_TIMEOUT,
            socket_connect_timeout=SOCKET_TIMEOUT,
            retry=Retry(NoBackoff(), 1),
        )
        return cls(redis, prefix)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.gather(*self._invalidating, return_exceptions=True)
            if self._retrying is not None:
                self._retrying.cancel()
                with suppress(asyncio.CancelledError):
                    await self._retrying
            await self._redis.aclose()

    async def ping(self) -> None:
        await self._redis.ping()

    async def read(self, key: str, load: Load, ttl: int) -> Cached:
        """The entry, or what ``load`` gives, which is then kept for ``ttl`` seconds. Errors of ``load`` are raised.

        However many readers miss at once, one loads. A reader never gets a value that was loaded before it came.
        """
        name = f"{self._prefix}:{key}"
        while True:
            value = await self._get(name)
            if value is not None:
                return Cached(value, hit=True)
            flight = self._flights.get(name)
            if flight is None:
                flight = self._start(name, load, ttl)
            if flight.departed:
                with suppress(Exception):  # its outcome is for those who were aboard
                    await asyncio.shield(flight.task)
            elif (value := await asyncio.shield(flight.task)) is not None:
                return Cached(value, hit=False)

    @asynccontextmanager
    async def changing(self, *keys: str) -> AsyncIterator[Change]:
        """Wraps a change that commits inside: the entries are fenced before and gone after, come what may."""
        change = Change(self)
        try:
            await change.add(*keys)
            yield change
        finally:
            invalidating = asyncio.create_task(self._invalidate(change.keys))
            self._invalidating.add(invalidating)  # it goes on even if the one who waits is cancelled
            invalidating.add_done_callback(self._invalidating.discard)
            await asyncio.shield(invalidating)

    async def fence(self, keys: "tuple[str, ...]") -> None:
        """Drops the entries and keeps them from being filled while a change is under way."""
        token = f"w:{uuid.uuid4().hex}"
        names = [f"{self._prefix}:{key}" for key in keys]
        try:
            for start in range(0, len(names), BATCH):
                async with self._redis.pipeline(transaction=True) as pipeline:
                    for name in names[start : start + BATCH]:
                        pipeline.set(f"{name}:lease", token, ex=FENCE_LIFETIME)
                        pipeline.delete(name)
                    await pipeline.execute()
        except (RedisError, OSError) as error:
            self._note_outage(error)  # the invalidation after the change is repeated until it succeeds

    async def _invalidate(self, keys: list[str]) -> None:
        names = [f"{self._prefix}:{key}" for key in keys]
        try:
            await self._delete(names)
        except (RedisError, OSError) as error:
            self._note_outage(error)
            self._not_invalidated.update(names)
            if self._retrying is None or self._retrying.done():
                self._retrying = asyncio.create_task(self._retry_invalidations(), name="cache-invalidations")

    async def _delete(self, names: list[str]) -> None:
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            await self._redis.delete(*batch, *(f"{name}:lease" for name in batch))

    async def _retry_invalidations(self) -> None:
        while self._not_invalidated:
            names = list(self._not_invalidated)
            try:
                await self._delete(names)
            except (RedisError, OSError):
                await asyncio.sleep(INVALIDATION_RETRY)
            else:
                self._not_invalidated.difference_update(names)

    def _start(self, name: str, load: Load, ttl: int) -> _Flight:
        flight = _Flight(asyncio.create_task(self._fly(name, load, ttl), name=f"fill {name}"))
        flight.task.add_done_callback(_retrieve)
        self._flights[name] = flight
        return flight

    async def _fly(self, name: str, load: Load, ttl: int) -> bytes | None:
        token = None
        try:
            await asyncio.sleep(0)  # all who missed in the same moment may come aboard
            token = await self._lease(name)
            if token is None and await self._other_has_filled(name):
                return None
            self._flights[name].departed = True
            value = await load()
            if token is not None:
                await self._run(self._store_script(keys=[name, f"{name}:lease"], args=[token, value, ttl]))
        except BaseException:
            if token is not None:
                await self._run(self._release_script(keys=[f"{name}:lease"], args=[token]))
            raise
        else:
            return value
        finally:
            del self._flights[name]

    async def _get(self, name: str) -> bytes | None:
        return None if self._is_out(name) else cast("bytes | None", await self._run(self._redis.get(name)))

    async def _lease(self, name: str) -> str | None:
        """A token to fill with, or None when somebody else has it or Redis is away."""
        if self._is_out(name):
            return None
        token = f"r:{uuid.uuid4().hex}"
        granted = await self._run(self._redis.set(f"{name}:lease", token, nx=True, ex=LEASE_LIFETIME))
        return token if granted else None

    async def _other_has_filled(self, name: str) -> bool:
        """Waits while another process fills the entry, and tells whether it did so in time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not self._is_out(name):
            found = cast("list[bytes | None] | None", await self._run(self._redis.mget(name, f"{name}:lease")))
            value, lease = found or (None, None)
            if value is not None:
                return True
            if lease is None or not lease.startswith(b"r:"):
                return False
            await asyncio.sleep(POLL)
        return False

    async def _run(self, command: Awaitable[object]) -> object:
        """What Redis answers, or None when it does not."""
        try:
            return await command
        except (RedisError, OSError) as error:
            self._note_outage(error)
            return None

    def _is_out(self, name: str) -> bool:
        return name in self._not_invalidated or time.monotonic() < self._out_until

    def _note_outage(self, error: Exception) -> None:
        if time.monotonic() > self._out_until + OUTAGE:
            logger.warning("cache is not available", extra={"error": repr(error)})
        self._out_until = time.monotonic() + OUTAGE


def _retrieve(task: asyncio.Task[bytes | None]) -> None:
    """Marks an error as seen, in case every reader has gone away."""
    if not task.cancelled():
        task.exception()
