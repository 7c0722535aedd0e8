"""Cache-aside in Redis that is never wrong, only slower when Redis is away. What is in Redis: see ``leases``."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from openmusic_kit import tasks
from openmusic_kit.database import Connection, Database, UnitOfWork
from openmusic_kit.errors import Unavailable
from openmusic_kit.generations import Generations
from openmusic_kit.leases import FENCE_LIFETIME, LeasedEntries

logger = logging.getLogger(__name__)

PATIENCE = 0.2  # seconds to wait for another process that is filling the entry
POLL = 0.005  # seconds between looks while waiting for it
OUTAGE = 1.0  # seconds that Redis is left alone after it failed
LIFT_RETRY = 0.2  # seconds until a fence that could not be lifted is tried again
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
class _Fence:
    """Keeps others from filling the entries that a change touches."""

    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    names: list[str] = field(default_factory=list)
    stands: bool = True
    """Whether Redis has heard of all of it."""
    lapses: float = field(default_factory=lambda: time.monotonic() + FENCE_LIFETIME)
    linger: int = 0


class Change(UnitOfWork):
    """A unit of work that outdates entries: no one can fill them before it has committed, and none is left after it."""

    def __init__(self, connection: Connection, cache: "Cache", fence: _Fence) -> None:
        super().__init__(connection)
        self._cache = cache
        self._fence = fence
        self.committed = False

    async def outdate(self, *keys: str) -> None:
        """Adds entries, before it commits."""
        await self._cache.fence(self._fence, keys)

    async def commit(self) -> None:
        if not self._fence.stands:
            await self._cache.generations.move(self.connection)
        await super().commit()
        self.committed = True


class Cache:
    """Entries are kept in Redis; ``database`` is what they are made from, and where changes of it commit."""

    def __init__(self, redis: Redis, database: Database, prefix: str) -> None:
        self.generations = Generations(database)
        self._entries = LeasedEntries(redis)
        self._database = database
        self._prefix = prefix
        self._flights: dict[str, _Flight] = {}
        self._to_lift: list[_Fence] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._out_until = 0.0
        self._warned = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with self.generations.running():
                yield
        finally:
            await tasks.stop(*self._ending, *(flight.task for flight in self._flights.values()))
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
    async def unit_of_work(self, *keys: str, one_statement: bool = False) -> AsyncIterator[Change]:
        """A change of what these entries, and those that it names later, are made from.

        One that is a single statement is cheaper, and must be followed by ``commit`` if it changed anything.
        """
        fence, change = _Fence(), None
        try:
            await self.fence(fence, keys)
            async with self._database.unit_of_work(one_statement=one_statement and fence.stands) as work:
                change = Change(work.connection, self, fence)
                yield change
        except (Unavailable, asyncio.CancelledError):
            fence.linger = IN_DOUBT
            raise
        finally:
            committed = change is not None and change.committed
            ending = self._in_background(self._end(fence, committed=committed))
            await asyncio.shield(ending)  # goes on even if the one who waits is cancelled

    async def fence(self, fence: _Fence, keys: Sequence[str]) -> None:
        """Makes the fence wider. Where it does not stand, its change moves the generation."""
        if keys:
            names = [f"{self._prefix}:{key}" for key in keys]
            fence.names += names
            fence.stands &= await self._done(lambda: self._entries.fence(names, fence.token))

    async def _end(self, fence: _Fence, *, committed: bool) -> None:
        if await self._lift(fence):
            return
        if not self._to_lift:
            self._in_background(self._lift_later())
        self._to_lift.append(fence)
        if not committed:
            return
        if fence.stands:  # but perhaps not to the end
            async with self._database.unit_of_work() as work:
                await self.generations.move(work.connection)
                await work.commit()
        await self.generations.known_to_all()

    async def _lift(self, fence: _Fence) -> bool:
        try:
            await self._entries.drop(fence.names, fence.token, fence.linger)
        except (RedisError, OSError) as error:
            self._note_outage(error)
            return False
        return True

    async def _lift_later(self) -> None:
        """Spares readers the rest of the fences' lives."""
        while self._to_lift:
            await asyncio.sleep(LIFT_RETRY)
            while self._to_lift and (self._to_lift[0].lapses < time.monotonic() or await self._lift(self._to_lift[0])):
                self._to_lift.pop(0)

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
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
            generation = self.generations.current()
            if generation is not None:
                answer = await self._attempt(lambda: self._entries.lease(name, token, generation))
                granted = answer == "granted"
                if answer == "filled" or (answer == "taken" and await self._other_has_filled(name)):
                    return None
            self._flights[name].departed = True
            value = await load()
            if granted and generation is not None:
                await self._done(lambda: self._entries.store(name, token, generation, value, ttl))
        except BaseException:
            if granted:
                await self._done(lambda: self._entries.release(name, token))
            raise
        else:
            return value
        finally:
            del self._flights[name]

    async def _get(self, name: str) -> bytes | None:
        generation = self.generations.current()
        if generation is None:
            return None
        return await self._attempt(lambda: self._entries.get(name, generation))

    async def _other_has_filled(self, name: str) -> bool:
        """Waits while another process fills the entry, and tells whether it did so in time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if await self._get(name) is not None:
                return True
            if not await self._attempt(lambda: self._entries.leased(name)):
                return await self._get(name) is not None
            await asyncio.sleep(POLL)
        return False

    async def _done(self, command: Callable[[], Awaitable[None]]) -> bool:
        """Whether Redis did it; if not, it may have done it all the same."""

        async def whole() -> bool:
            await command()
            return True

        return await self._attempt(whole) is not None

    async def _attempt(self, command: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis answers, or None when it does not."""
        if time.monotonic() < self._out_until:
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
