"""The cache under a scheduler that decides who goes on first, with parts that fail and processes that die.

What Redis and PostgreSQL do is modelled here in memory: each step takes effect as a whole between a way there and a way
back; both can fail, and what was sent can arrive late. Time is virtual, so that nothing here is patched to be short.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from openmusic_kit.cache import generations
from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.generations import Generations
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.cache.leases import LEASE_LIFETIME, Answer, LeasedEntries
from openmusic_kit.cache.redis_client import MAX_WAIT
from openmusic_kit.database.database import Database, UnitOfWork
from openmusic_kit.errors import Unavailable
from openmusic_kit.settings import DatabaseSettings
from openmusic_testkit.interleavings import World, explore

KEY = Invalidation(("key",))

TTL = 1800
SETTINGS = DatabaseSettings(pguser="nobody", pgdatabase="nothing")
T = TypeVar("T")


@dataclass
class Shared:
    """What is in Redis and in PostgreSQL."""

    world: World
    entries: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    leases: dict[str, tuple[str, float]] = field(default_factory=dict)
    fences: dict[str, dict[str, float]] = field(default_factory=dict)
    value: int = 0
    generation: int = 1
    row: asyncio.Lock = field(default_factory=asyncio.Lock)
    acknowledged: int = 0

    def empty_redis(self) -> None:
        self.entries.clear()
        self.leases.clear()
        self.fences.clear()


@dataclass
class Process:
    """One copy of the service. A dead one never goes on, wherever it was; what it sent may still arrive."""

    shared: Shared
    alive: bool = True
    steps_to_death: int = 0
    redis_fails: float = 0.0
    database_fails: float = 0.0
    excused: bool = False
    """Whether it may answer that it is unavailable."""
    transactions: list["Transaction"] = field(default_factory=list)
    loads: int = 0
    commit_takes: float | None = None
    """Seconds until a commit arrives whose sender has given up."""
    cache: Cache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = Cache(Redis(), FakeDatabase(self), "test")
        for part in (self.cache, self.cache._fences, self.cache._loads):
            part._entries = FakeEntries(self)  # type: ignore[attr-defined]

    @property
    def world(self) -> World:
        return self.shared.world

    async def travel(self, failing: float, error: Callable[[], Exception]) -> None:
        await self.world.pause()
        self.steps_to_death -= 1
        if self.steps_to_death == 0:
            self.die()
        if not self.alive:
            await asyncio.Event().wait()
        if self.world.chance(failing):
            await self.world.pause(0.0, 0.1)
            raise error()

    async def reach(self, act: Callable[[], T], failing: float, error: Callable[[], Exception], late: float) -> T:
        """There and back. What fails on its way there may have been sent, and arrive up to ``late`` seconds later.

        Nothing arrives from one that is cut off: everything fails there.
        """
        try:
            await self.travel(failing, error)
        except Exception:
            if failing < 1.0 and self.world.chance(0.5):
                asyncio.get_running_loop().call_later(self.world.dice.uniform(0, late), act)
            raise
        answer = act()
        await self.travel(failing, error)
        return answer

    def die(self) -> None:
        """PostgreSQL notices it a few seconds later, and forgets what was not committed."""
        self.alive, self.excused = False, True
        for transaction in self.transactions:
            asyncio.get_running_loop().call_later(5.0, transaction.end)

    async def load(self) -> bytes:
        self.loads += 1
        return str(await self.reach(lambda: self.shared.value, self.database_fails, Unavailable, 0.0)).encode()

    async def read(self) -> None:
        known = self.shared.acknowledged
        try:
            found = await self.cache.read("key", self.load, TTL)
        except Unavailable:
            assert self.excused
            return
        assert int(found.value) >= known, f"{found} was read after {known} was acknowledged"

    async def change(self, *, one_statement: bool) -> None:
        connection: Any
        if one_statement:
            async with self.cache.autocommit(KEY) as connection:
                await connection.execute("UPDATE source")
        else:
            async with self.cache.unit_of_work(KEY) as work:
                connection = work.connection
                await connection.execute("UPDATE source")
                if self.world.chance(0.5):
                    await work.invalidate(Invalidation(("other",)))
                await work.commit()
        self.shared.acknowledged = max(self.shared.acknowledged, connection.wrote)

    async def watch(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self.world.pause(0.1, 0.3, 0.5)
            await self.read()

    async def act(self, _: asyncio.Event) -> None:
        for _ in range(2):
            await self.world.pause(0.0, 0.001, 0.01, 0.5, 1.0)
            if self.world.chance(0.6):
                await self.read()
                continue
            try:
                await self.change(one_statement=self.world.chance(0.5))
            except Unavailable:
                assert self.excused


class FakeEntries(LeasedEntries):
    """As the scripts in ``leases`` have it, but each key on a way of its own."""

    def __init__(self, process: Process) -> None:
        self._process, self._shared = process, process.shared

    async def _step(self, act: Callable[[], T]) -> T:
        return await self._process.reach(act, self._process.redis_fails, RedisConnectionError, 0.5)

    async def get(self, keys: Sequence[str], generation: int) -> dict[str, bytes]:
        def act() -> dict[str, bytes]:
            entries = self._shared.entries
            return {key: entries[key][1] for key in keys if entries.get(key, (None,))[0] == generation}

        return await self._step(act)

    async def lease(self, key: str, token: str, generation: int) -> Answer:
        def act() -> Answer:
            now = self._shared.world.now
            if self._shared.entries.get(key, (None,))[0] == generation:
                return "filled"
            if any(expires_at > now for expires_at in self._shared.fences.get(key, {}).values()):
                return "fenced"
            if self._shared.leases.get(key, ("", 0.0))[1] > now:
                return "taken"
            self._shared.leases[key] = (token, now + LEASE_LIFETIME)
            return "granted"

        return await self._step(act)

    async def leased(self, key: str) -> bool:
        return await self._step(lambda: self._shared.leases.get(key, ("", 0.0))[1] > self._shared.world.now)

    def _holds(self, key: str, token: str) -> bool:
        holder, until = self._shared.leases.get(key, ("", 0.0))
        return holder == token and until > self._shared.world.now

    async def store(self, key: str, token: str, generation: int, value: bytes, ttl: int) -> None:  # noqa: ARG002
        def act() -> None:
            if self._holds(key, token):
                self._shared.entries[key] = (generation, value)
                del self._shared.leases[key]

        await self._step(act)

    async def release(self, key: str, token: str) -> None:
        await self._step(lambda: self._shared.leases.pop(key) if self._holds(key, token) else None)

    async def fence(self, keys: Sequence[str], token: str, lifetime: float, messages: Sequence[str] = ()) -> None:
        assert not messages
        for key in keys:
            await self._step(lambda key=key: self._set_fence(key, token, lifetime))  # type: ignore[misc]

    async def drop(self, keys: Sequence[str], token: str, hold_for: float, messages: Sequence[str] = ()) -> None:
        assert not messages
        for key in keys:
            await self._step(lambda key=key: self._set_fence(key, token, hold_for))  # type: ignore[misc]

    def _set_fence(self, key: str, token: str, seconds: float) -> None:
        self._shared.entries.pop(key, None)
        self._shared.leases.pop(key, None)
        fences = self._shared.fences.setdefault(key, {})
        fences.pop(token, None)
        if seconds:
            fences[token] = self._shared.world.now + seconds

    async def aclose(self) -> None:
        return


class Transaction:
    """Writers of one row take turns until their transactions have ended."""

    def __init__(self, process: Process) -> None:
        self.wrote = 0
        self.generations = 0
        self.autocommit = False
        self._process, self._shared = process, process.shared
        self._locked = False
        process.transactions.append(self)

    async def execute(self, statement: str) -> "Transaction":
        act = {"UPDATE source": self._write, "UPDATE cache_generation": self._move}
        for beginning, effect in act.items():
            if statement.startswith(beginning):
                if not self._locked:
                    await self._shared.row.acquire()
                    self._locked = True
                    if not self._process.alive:
                        self.end()
                await self._run(lambda effect=effect: (effect(), self.autocommit and self.apply()))  # type: ignore[misc]
                return self
        assert statement == "SELECT number FROM cache_generation"
        await self._shared.world.pause(0.0, 0.0, 0.001, 0.7)
        self._number = await self._run(lambda: self._shared.generation)
        return self

    async def fetchone(self) -> dict[str, int]:
        return {"number": self._number}

    async def commit(self) -> None:
        if self._process.commit_takes is not None:
            asyncio.get_running_loop().call_later(self._process.commit_takes, self.apply)
            raise psycopg.OperationalError
        await self._run(self.apply)

    async def _run(self, act: Callable[[], T]) -> T:
        late = self._process.cache._database.in_doubt - 0.001
        return await self._process.reach(act, self._process.database_fails, psycopg.OperationalError, late)

    def _write(self) -> None:
        self.wrote = self._shared.value + 1

    def _move(self) -> None:
        self.generations += 1

    def apply(self) -> None:
        if self._locked:
            self._shared.value = max(self._shared.value, self.wrote)
            self._shared.generation += self.generations
            self.end()

    def end(self) -> None:
        if self._locked:
            self._locked = False
            self._shared.row.release()


class FakeDatabase(Database):
    """With the deadlines of the real one."""

    def __init__(self, process: Process) -> None:
        super().__init__("", None, SETTINGS)  # type: ignore[arg-type]
        self._process = process

    @asynccontextmanager
    async def unit_of_work(self, result: None = None) -> AsyncIterator[UnitOfWork]:
        assert result is None
        async with self._transaction(autocommit=False) as transaction:
            yield UnitOfWork(transaction)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Any]:
        async with self._transaction(autocommit=True) as transaction:
            yield transaction

    @asynccontextmanager
    async def _transaction(self, *, autocommit: bool) -> AsyncIterator[Any]:
        transaction = Transaction(self._process)
        transaction.autocommit = autocommit
        in_doubt = False
        try:
            yield transaction
        except (psycopg.OperationalError, asyncio.CancelledError) as error:
            in_doubt = True
            if isinstance(error, psycopg.OperationalError):
                raise Unavailable from error
            raise
        finally:
            if in_doubt:
                asyncio.get_running_loop().call_later(self.in_doubt, transaction.end)
            else:
                transaction.end()

    @asynccontextmanager
    async def own_connection(self, answer_timeout: float | None = None) -> AsyncIterator[Any]:  # noqa: ARG002
        await self._process.travel(self._process.database_fails, psycopg.OperationalError)
        yield Transaction(self._process)


@asynccontextmanager
async def system(world: World, processes: int = 3) -> AsyncIterator[list[Process]]:
    shared = Shared(world)
    everyone = [Process(shared) for _ in range(processes)]
    async with AsyncExitStack() as stack:
        for process in everyone:
            await stack.enter_async_context(process.cache.running())
        yield everyone
        for process in everyone:  # whoever is dead wakes up so that the test can end
            process.alive, process.redis_fails, process.database_fails = True, 0.0, 0.0


def _let_redis_fail_one(everyone: list[Process]) -> None:
    everyone[0].redis_fails = everyone[0].world.dice.choice((0.1, 1.0))


def _let_redis_fail_all(everyone: list[Process]) -> None:
    for process in everyone:
        process.redis_fails = 0.1


def _empty_redis_for_one_that_is_cut_off(everyone: list[Process]) -> None:
    everyone[0].shared.empty_redis()
    everyone[0].redis_fails = 1.0


def _let_the_database_fail(everyone: list[Process]) -> None:
    everyone[0].database_fails = 0.3
    everyone[0].excused = True


def _let_one_die(everyone: list[Process]) -> None:
    """At any of its next awaits."""
    everyone[0].steps_to_death = everyone[0].world.dice.randrange(1, 40)


FAULTS: dict[str, Callable[[list[Process]], None]] = {
    "nothing": lambda _: None,
    "Redis fails one": _let_redis_fail_one,
    "Redis fails all": _let_redis_fail_all,
    "Redis is emptied": lambda everyone: everyone[0].shared.empty_redis(),
    "Redis is emptied, and one is cut off": _empty_redis_for_one_that_is_cut_off,
    "the database fails": _let_the_database_fail,
    "a process dies": _let_one_die,
}

SLOW = {"the database fails", "a process dies"}
"""What leaves a change in doubt; these worlds go on until all doubt is over."""


async def pressure(world: World, fault: str) -> None:
    """Reads and changes while the fault happens, and a last look when all doubt is over."""
    async with system(world) as everyone:
        shared = everyone[0].shared

        async def strike() -> None:
            await world.pause(0.0, 0.001, 0.003, 0.01, 0.5)
            FAULTS[fault](everyone)
            await world.pause(0.01, 1.0, 4.0)
            over.set()
            for process in everyone:
                process.redis_fails = process.database_fails = 0.0

        over = asyncio.Event()
        works = [*(process.act for process in everyone for _ in range(4)), *(each.watch for each in everyone)]
        acting = [(work.__self__, asyncio.create_task(work(over))) for work in works]
        await asyncio.gather(strike(), *(_ended(process, task) for process, task in acting))
        if fault in SLOW:
            await asyncio.sleep(everyone[0].cache._database.longest_change)
        for process in everyone:
            if process.alive:
                for _ in range(2):
                    found = await world.within(MAX_WAIT, process.cache.read("key", process.load, TTL))
                    assert int(found.value) == shared.value, f"{found}, but {shared.value} was committed"


async def _ended(process: Process, task: "asyncio.Task[None]") -> None:
    """A task of a process that dies has no end; all others have one in time."""
    longest = 5.0 + process.cache.in_doubt + process.cache._loads.timeout + 2 * MAX_WAIT
    await asyncio.wait([task], timeout=longest)
    if task.done():
        task.result()
    else:
        assert not process.alive, "waits without an end"


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_older_than_what_was_acknowledged_is_read_and_nothing_is_wrong_for_long(fault: str) -> None:
    explore(f"cache: {fault}", lambda world: pressure(world, fault), 15 if fault in SLOW else 40)


async def _hold_nothing(*_: Any) -> None:
    return


def _without_fences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEntries, "fence", _hold_nothing)


def _without_revoking_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep_lease(self: FakeEntries, key: str, token: str, seconds: float) -> None:
        lease = self._shared.leases.get(key)
        set_fence(self, key, token, seconds)
        if lease:
            self._shared.leases[key] = lease

    set_fence = FakeEntries._set_fence
    monkeypatch.setattr(FakeEntries, "_set_fence", keep_lease)


def _without_bumping_the_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Generations, "bump", _hold_nothing)


def _without_waiting_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "MARGIN", generations.BEAT - generations.LEASE)


def _storing_without_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEntries, "_holds", lambda self, key, _: self._shared.leases.setdefault(key, ("", 0.0)))


BREAKS = [
    (_without_fences, "a process dies"),
    (_without_revoking_leases, "nothing"),
    (_without_bumping_the_generation, "Redis fails one"),
    (_without_waiting_for_the_others, "Redis fails one"),
    (_storing_without_a_lease, "nothing"),
]


@pytest.mark.parametrize(("break_it", "fault"), BREAKS)
def test_the_worlds_above_notice_a_cache_that_is_broken(
    break_it: Callable[[pytest.MonkeyPatch], None], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    with pytest.raises(AssertionError, match=r"was read after|was committed"):
        explore(f"cache, broken: {fault}", lambda world: pressure(world, fault), 300)


async def late_commit(world: World, doubt: float) -> None:
    """A writer gives up, and its commit takes place at the last moment at which that can happen."""
    async with system(world, 2) as (writer, reader):
        writer.cache.in_doubt = doubt
        writer.commit_takes = world.dice.uniform(0.0, writer.cache._database.in_doubt - 0.001)
        over = asyncio.Event()
        watching = asyncio.create_task(reader.watch(over))
        with pytest.raises(Unavailable):
            await writer.change(one_statement=False)
        await asyncio.sleep(writer.cache._database.in_doubt)
        over.set()
        await watching
        assert reader.shared.value == 1
        for _ in range(2):
            assert (await reader.cache.read("key", reader.load, TTL)).value == b"1", "nothing else was committed"


def test_an_entry_stays_fenced_for_as_long_as_a_commit_may_still_take_place() -> None:
    doubt = Database("", None, SETTINGS).in_doubt  # type: ignore[arg-type]
    explore("cache: a late commit", lambda world: late_commit(world, doubt), 50)
    with pytest.raises(AssertionError, match="nothing else was committed"):
        explore("cache, broken: a late commit", lambda world: late_commit(world, 5.0), 50)


async def _never() -> bytes:
    await asyncio.Event().wait()
    return b""


def test_a_load_that_hangs_is_unavailable_after_the_time_of_one_answer() -> None:
    async def scenario(world: World) -> None:
        async with system(world, 1) as (process,):
            began = world.now
            reading = (process.cache.read("key", _never, TTL) for _ in range(3))
            outcomes = await asyncio.gather(*reading, return_exceptions=True)
            assert [type(each) for each in outcomes] == [Unavailable] * 3
            assert SETTINGS.pg_statement_timeout < world.now - began < SETTINGS.pg_statement_timeout + 2
            assert (await process.cache.read("key", process.load, TTL)).value == b"0"

    explore("cache: a load that hangs", scenario, 20)


def test_readers_of_a_load_that_is_cancelled_are_told_that_it_is_unavailable() -> None:
    async def scenario(world: World) -> None:
        async with system(world, 1) as (process,):
            process.excused = True
            reading = asyncio.gather(*(process.read() for _ in range(4)))
            await world.pause(0.0, 0.0, 0.001, 0.002)
            for loading in list(process.cache._loads._loads.values()):
                loading.task.cancel()
            await world.within(1.0, reading)
            assert (await process.cache.read("key", process.load, TTL)).value == b"0"

    explore("cache: a load that is cancelled", scenario, 100)


def test_readers_that_are_cancelled_take_the_load_from_nobody() -> None:
    async def scenario(world: World) -> None:
        async with system(world, 1) as (process,):
            reading = (world.cancelled_sometime(process.read()) for _ in range(5))
            await world.all([*reading, world.within(1.0, process.read())])
            assert process.loads <= 2, "one for who was aboard, one for who came too late"

    explore("cache: cancelled readers", scenario, 100)


@pytest.mark.parametrize("unheard", ["test:key", "test:other", "neither"])
def test_a_change_of_which_redis_heard_only_a_part_moves_the_generation(
    unheard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        async with system(world, 1) as (process,):
            async with process.cache.unit_of_work(KEY) as work:
                await asyncio.sleep(2.0)  # Redis is asked again after an outage
                await work.invalidate(Invalidation(("other",)))
                await work.connection.execute("UPDATE source")
                await work.commit()
            assert process.shared.generation == (1 if unheard == "neither" else 2)

    async def fence(
        self: FakeEntries, keys: Sequence[str], token: str, lifetime: float, messages: Sequence[str] = ()
    ) -> None:
        if unheard in keys:
            raise RedisConnectionError
        await heard(self, keys, token, lifetime, messages)

    heard = FakeEntries.fence
    monkeypatch.setattr(FakeEntries, "fence", fence)
    explore("cache: half a fence", scenario, 10)


@pytest.mark.parametrize(("left", "generation"), [(0.5, 1), (-0.5, 2)])
def test_a_change_whose_fence_could_end_before_all_doubt_moves_the_generation(left: float, generation: int) -> None:
    async def scenario(world: World) -> None:
        async with system(world, 1) as (process,):
            database = process.cache._database
            async with process.cache.unit_of_work(KEY) as work:
                await asyncio.sleep(database.longest_change - database.in_doubt - left)
                await work.connection.execute("UPDATE source")
                await work.commit()
            assert process.shared.generation == generation

    explore("cache: a long change", scenario, 10)


def test_a_redis_that_hangs_is_waited_for_once_and_then_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    async def scenario(world: World) -> None:
        asked.clear()
        async with system(world, 1) as (process,):
            for pause in (0.0, 0.5, 0.4, 0.2):
                await asyncio.sleep(pause)
                asked_before, began = len(asked), world.now
                assert (await process.cache.read("key", process.load, TTL)).value == b"0"
                waited = world.now - began
                assert waited < MAX_WAIT + 0.1
                assert (waited >= MAX_WAIT) == (len(asked) > asked_before)
        assert len(asked) == 2, "when it began to hang, and a second after that was known"

    async def get(self: FakeEntries, _keys: Sequence[str], _generation: int) -> dict[str, bytes]:
        asked.append(self._shared.world.now)
        return await _never()

    monkeypatch.setattr(FakeEntries, "get", get)
    monkeypatch.setattr(Generations, "current", lambda _: 1)  # without it Redis would not be asked at all
    explore("cache: Redis hangs", scenario, 10)
