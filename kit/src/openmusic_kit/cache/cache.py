"""Cache-aside in Redis that is never wrong, and only slower without Redis. Its keys are described in ``leases``."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from openmusic_kit import tasks
from openmusic_kit.cache.fences import Fence, Fences
from openmusic_kit.cache.generations import Generations
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.cache.leases import LeasedEntries
from openmusic_kit.cache.loads import InFlightLoads, Load
from openmusic_kit.cache.lookups import Lookups
from openmusic_kit.cache.outages import RedisCalls
from openmusic_kit.cache.unit_of_work import CachedUnitOfWork, Purge
from openmusic_kit.database.database import Connection, Database, UnitOfWork
from openmusic_kit.edge.answers import purge_with_answer
from openmusic_kit.errors import Unavailable
from openmusic_kit.idempotency.results import Result, must_store
from openmusic_kit.metrics import CACHE_LOOKUPS


@dataclass(frozen=True)
class Cached:
    """``hit`` is whether the value came from the cache."""

    value: bytes
    hit: bool


class Cache:
    """Entries in Redis that are loaded from ``database``, where their changes commit too.

    ``calls`` may be shared with others that use the same Redis, so that an outage is noticed once.
    """

    def __init__(self, redis: Redis, database: Database, prefix: str, calls: RedisCalls | None = None) -> None:
        self._database = database
        self._prefix = prefix
        self._calls = calls or RedisCalls()
        self._entries = LeasedEntries(redis)
        self.generations = Generations(database)
        self._lookups = Lookups(self._find)
        self._loads = InFlightLoads(
            self._entries, self._calls, self.generations, self._lookups, database.answer_timeout
        )
        self._fences = Fences(self._entries, self._calls, prefix)
        self._finishing: set[asyncio.Task[None]] = set()
        self.in_doubt = database.in_doubt

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with self.generations.running():
                yield
        finally:
            await tasks.stop(*self._finishing)
            await self._fences.stop()
            await self._loads.stop()
            await self._entries.aclose()

    async def ping(self) -> None:
        await self._entries.ping()

    async def read(self, key: str, load: Load, ttl: int) -> Cached:
        """The entry, or the result of ``load``, which is then kept for ``ttl`` seconds. Raises what ``load`` raises.

        A reader never gets a value whose loading began before this was called.
        """
        name = f"{self._prefix}:{key}"
        while True:
            value = await self._lookups.get(name)
            if value is not None:
                CACHE_LOOKUPS.add("redis", "hit")
                return Cached(value, hit=True)
            while (loading := self._loads.join(name, load, ttl)).started:
                await loading.ended()
            if (value := await loading.result()) is not None:
                CACHE_LOOKUPS.add("redis", "miss")
                return Cached(value, hit=False)

    @asynccontextmanager
    async def unit_of_work(
        self, *invalidations: Invalidation, purge: Purge = purge_with_answer, result: Result | None = None
    ) -> AsyncIterator[CachedUnitOfWork]:
        """A transaction that outdates these entries and answers, and those that it adds before it commits.

        Once it has committed, ``purge`` gets the edge tags, before this returns. ``result``: see Database.
        """
        async with self._fenced(invalidations, purge) as fence, self._database.unit_of_work(result) as work:
            yield self._cached(work, fence)

    @asynccontextmanager
    async def autocommit(
        self, *invalidations: Invalidation, purge: Purge = purge_with_answer, result: Result | None = None
    ) -> AsyncIterator[Connection]:
        """The same in a single statement, which is cheaper. An exception means that it changed nothing."""
        async with self._fenced(invalidations, purge) as fence:
            if not fence.registered or must_store(result):  # the transaction also moves the generation, or stores it
                async with self._database.unit_of_work(result) as work:
                    yield work.connection
                    await self._cached(work, fence).commit()
                return
            async with self._database.autocommit() as connection:
                yield connection
            if not fence.outlasts_doubt():
                await self._bump()
            fence.committed = True

    def _cached(self, work: UnitOfWork, fence: Fence) -> CachedUnitOfWork:
        return CachedUnitOfWork(work.connection, fence, self._fences, self.generations)

    @asynccontextmanager
    async def _fenced(self, invalidations: Sequence[Invalidation], purge: Purge) -> AsyncIterator[Fence]:
        fence = Fence(self._database.longest_change, self.in_doubt)
        try:
            await self._fences.extend(fence, invalidations)
            yield fence
        except (Unavailable, TimeoutError, asyncio.CancelledError):
            fence.hold_for = self.in_doubt
            raise
        finally:
            finishing = asyncio.create_task(self._finish(fence, purge))
            self._finishing.add(finishing)
            finishing.add_done_callback(self._finishing.discard)
            await asyncio.shield(finishing)  # it goes on even if its caller is cancelled

    async def _finish(self, fence: Fence, purge: Purge) -> None:
        released = await self._fences.release(fence)
        if not fence.committed:
            return
        if not released:
            if fence.registered:  # but it may have expired before the commit
                await self._bump()
            await self.generations.wait_until_visible()
        if fence.tags:
            await purge(fence.tags, [fence.token])

    async def _bump(self) -> None:
        async with self._database.autocommit() as connection:
            await self.generations.bump(connection)

    async def _find(self, names: list[str]) -> dict[str, bytes]:
        generation = self.generations.current()
        if generation is None:
            return {}
        return await self._calls.attempt(lambda: self._entries.get(names, generation)) or {}
