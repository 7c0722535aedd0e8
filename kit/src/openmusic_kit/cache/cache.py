"""Cache-aside in Redis that is never wrong, only slower when Redis is away. What is in Redis: see ``leases``."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from openmusic_kit import tasks
from openmusic_kit.cache.generations import Generations
from openmusic_kit.cache.leases import LeasedEntries
from openmusic_kit.cache.lookups import Lookups
from openmusic_kit.cache.outages import RedisCalls
from openmusic_kit.database.database import Connection, Database, UnitOfWork
from openmusic_kit.errors import Unavailable

PATIENCE = 0.2  # seconds to wait for another process that is filling the entry
POLL = 0.005  # seconds between looks while waiting for it
RELEASE_RETRY = 0.2  # seconds until a fence that could not be lifted is tried again

Load = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True)
class Cached:
    """``hit`` tells whether the value came from the cache."""

    value: bytes
    hit: bool


@dataclass
class _InFlightLoad:
    """One fill that several readers wait for. Who joins before it ``departed`` may have its result.

    The result is None when another process has filled the entry: then everybody looks again.
    """

    task: asyncio.Task[bytes | None]
    started: bool = False

    async def over(self) -> None:
        """For whoever came too late for its result. Raises Unavailable if it did: nobody waits for a second failure."""
        await asyncio.wait([self.task])
        if self.task.cancelled() or isinstance(self.task.exception(), Unavailable):
            raise Unavailable

    async def landed(self) -> bytes | None:
        """Its result. Who is cancelled while waiting does not take it from the others. Raises what ``load`` raised."""
        await asyncio.wait([self.task])
        if self.task.cancelled():
            raise Unavailable
        return self.task.result()


@dataclass(eq=False)
class _Fence:
    """Keeps others from filling the entries that a change touches, for ``lifetime`` seconds at most."""

    lifetime: float
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    names: list[str] = field(default_factory=list)
    registered: bool = True
    """Whether Redis has heard of all of it."""
    committed: bool = False
    """Whether its change is."""
    hold_for: float = 0.0
    expires_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.expires_at = time.monotonic() + self.lifetime

    def holds_for(self, seconds: float) -> bool:
        return not self.names or (self.registered and time.monotonic() + seconds <= self.expires_at)


class CachedUnitOfWork(UnitOfWork):
    """A unit of work that outdates entries: no one can fill them before it has committed, and none is left after it."""

    def __init__(self, connection: Connection, cache: "Cache", fence: _Fence) -> None:
        super().__init__(connection)
        self._cache = cache
        self._fence = fence

    async def invalidate(self, *keys: str) -> None:
        """Adds entries, before it commits."""
        await self._cache.fence(self._fence, keys)

    async def commit(self) -> None:
        """Whether or not this process lives to see it committed: nothing older is read once that is certain.

        Either the fence stands that long, or the change moves the generation.
        """
        if not self._fence.holds_for(self._cache.in_doubt):
            await self._cache.generations.bump(self.connection)
        await super().commit()
        self._fence.committed = True


class Cache:
    """Entries are kept in Redis; ``database`` is what they are made from, and where changes of it commit."""

    def __init__(self, redis: Redis, database: Database, prefix: str) -> None:
        self.generations = Generations(database)
        self._entries = LeasedEntries(redis)
        self._database = database
        self._prefix = prefix
        self._loads: dict[str, _InFlightLoad] = {}
        self._to_release: list[_Fence] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._redis = RedisCalls()
        self._lookups = Lookups(self._find)
        self.in_doubt = database.in_doubt
        self._fence_lifetime = database.longest_change
        self._load_timeout = database.answer_timeout

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with self.generations.running():
                yield
        finally:
            await tasks.stop(*self._ending, *(loading.task for loading in self._loads.values()))
            await self._entries.aclose()

    async def ping(self) -> None:
        await self._entries.ping()

    async def read(self, key: str, load: Load, ttl: int) -> Cached:
        """The entry, or what ``load`` gives, which is then kept for ``ttl`` seconds. Errors of ``load`` are raised.

        A load that takes longer than any single answer of the database may is Unavailable.
        However many readers miss at once, one loads. A reader never gets a value whose loading began before it came.
        """
        name = f"{self._prefix}:{key}"
        while True:
            value = await self._lookups.get(name)
            if value is not None:
                return Cached(value, hit=True)
            while (loading := self._join(name, load, ttl)).started:
                await loading.over()
            if (value := await loading.landed()) is not None:
                return Cached(value, hit=False)

    @asynccontextmanager
    async def unit_of_work(self, *keys: str) -> AsyncIterator[CachedUnitOfWork]:
        """A change of what these entries, and those that it names later, are made from."""
        async with self._fenced(keys) as fence, self._database.unit_of_work() as work:
            yield CachedUnitOfWork(work.connection, self, fence)

    @asynccontextmanager
    async def autocommit(self, *keys: str) -> AsyncIterator[Connection]:
        """The same in a single statement, which is cheaper. An exception means that it changed nothing."""
        async with self._fenced(keys) as fence:
            if not fence.registered:  # the generation has to move in the same transaction
                async with self._database.unit_of_work() as work:
                    yield work.connection
                    await CachedUnitOfWork(work.connection, self, fence).commit()
                return
            async with self._database.autocommit() as connection:
                yield connection
            if not fence.holds_for(self.in_doubt):
                await self._bump()
            fence.committed = True

    @asynccontextmanager
    async def _fenced(self, keys: Sequence[str]) -> AsyncIterator[_Fence]:
        fence = _Fence(self._fence_lifetime)
        try:
            await self.fence(fence, keys)
            yield fence
        except (Unavailable, TimeoutError, asyncio.CancelledError):
            fence.hold_for = self.in_doubt
            raise
        finally:
            ending = self._in_background(self._end(fence))
            await asyncio.shield(ending)  # goes on even if the one who waits is cancelled

    async def fence(self, fence: _Fence, keys: Sequence[str]) -> None:
        """Makes the fence wider. Where it does not stand, its change moves the generation."""
        if keys:
            names = [f"{self._prefix}:{key}" for key in keys]
            fence.names += names
            fence.registered &= await self._redis.done(lambda: self._entries.fence(names, fence.token, fence.lifetime))

    async def _end(self, fence: _Fence) -> None:
        if await self._release(fence):
            return
        if not self._to_release:
            self._in_background(self._release_later())
        self._to_release.append(fence)
        if not fence.committed:
            return
        if fence.registered:  # but perhaps not to the end
            await self._bump()
        await self.generations.wait_until_visible()

    async def _bump(self) -> None:
        async with self._database.autocommit() as connection:
            await self.generations.bump(connection)

    async def _release(self, fence: _Fence) -> bool:
        return not fence.names or await self._redis.done(
            lambda: self._entries.drop(fence.names, fence.token, fence.hold_for), even_in_an_outage=True
        )

    async def _release_later(self) -> None:
        """Spares readers the rest of the fences' lives."""
        while self._to_release:
            await asyncio.sleep(RELEASE_RETRY)
            while self._to_release and (
                self._to_release[0].expires_at < time.monotonic() or await self._release(self._to_release[0])
            ):
                self._to_release.pop(0)

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    def _join(self, name: str, load: Load, ttl: int) -> _InFlightLoad:
        """The one under way, or a new one."""
        loading = self._loads.get(name)
        if loading is None or loading.task.done():
            loading = _InFlightLoad(asyncio.create_task(self._load_once(name, load, ttl), name=f"fill {name}"))
            loading.task.add_done_callback(tasks.mark_seen)
            self._loads[name] = loading
        return loading

    async def _load_once(self, name: str, load: Load, ttl: int) -> bytes | None:
        token = uuid.uuid4().hex
        granted = False
        try:
            await asyncio.sleep(0)  # all who missed in the same moment may come aboard
            generation = self.generations.current()
            if generation is not None:
                answer = await self._redis.attempt(lambda: self._entries.lease(name, token, generation))
                granted = answer == "granted"
                if answer == "filled" or (answer == "taken" and await self._other_has_filled(name)):
                    return None
            self._loads[name].started = True
            value = await self._loaded(load)
            if granted and generation is not None:
                await self._redis.done(lambda: self._entries.store(name, token, generation, value, ttl))
        except BaseException:
            if granted:
                await self._redis.done(lambda: self._entries.release(name, token))
            raise
        else:
            return value
        finally:
            del self._loads[name]

    async def _loaded(self, load: Load) -> bytes:
        try:
            async with asyncio.timeout(self._load_timeout):
                return await load()
        except TimeoutError as error:
            raise Unavailable from error

    async def _find(self, names: list[str]) -> dict[str, bytes]:
        generation = self.generations.current()
        if generation is None:
            return {}
        return await self._redis.attempt(lambda: self._entries.get(names, generation)) or {}

    async def _other_has_filled(self, name: str) -> bool:
        """Waits while another process fills the entry, and tells whether it did so in time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if await self._lookups.get(name) is not None:
                return True
            if not await self._redis.attempt(lambda: self._entries.leased(name)):
                return await self._lookups.get(name) is not None
            await asyncio.sleep(POLL)
        return False
