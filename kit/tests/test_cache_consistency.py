"""The one promise of the cache: a read that begins after a change was acknowledged never gives an older value.

Hypothesis invents the interleavings: which process reads or changes, which is cut off from Redis, when Redis is
emptied, when a writer's process is killed, and when each load, commit and return goes on.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import ConnectionPool, Redis

from openmusic_kit.cache import generations, leases, outages
from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.generations import Generations
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.cache.leases import LeasedEntries
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.database.database import Connection, Database, open_database
from openmusic_kit.errors import Conflict
from openmusic_kit.settings import CacheSettings, DatabaseSettings

KEY = Invalidation(("key",))

PROCESSES = 2
NOWHERE = 1  # a port where nobody listens
ROUND_TRIPS = 8  # more than any step takes on connections that are open
Step = tuple[Literal["read", "change", "fail", "cut off", "connect", "empty", "kill", "go on"], int]


@dataclass
class World:
    """A source whose value is the number of its last change, and everyone who waits for permission to go on.

    A killed writer waits for ever, and its connection to PostgreSQL breaks. It is not killed if Redis was emptied since
    it began: that Redis forgets a fence *and* its writer dies is more than the cache promises to survive.
    """

    caches: list[Cache]
    pools: list[ConnectionPool]
    redis: Redis
    database: Database
    acknowledged: int = 0
    waiting: list[asyncio.Event] = field(default_factory=list)
    writers: dict[asyncio.Event, Connection] = field(default_factory=dict)
    """The connections of those whose writers wait and may be killed."""
    killed: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    async def pause(self, writer: Connection | None = None) -> None:
        gate = asyncio.Event()
        self.waiting.append(gate)
        if writer:
            self.writers[gate] = writer
        await gate.wait()
        self.writers.pop(gate, None)

    def kill(self, number: int) -> None:
        """Wherever it is between its fence and the drop of its entries."""
        gates = [gate for gate in self.waiting if gate in self.writers]
        if gates:
            gate = gates[number % len(gates)]
            self.waiting.remove(gate)
            self.writers.pop(gate).pgconn.finish()
            self.killed += 1

    async def load(self) -> bytes:
        await self.pause()
        async with self.database.read() as connection:
            cursor = await connection.execute("SELECT number FROM source")
            row = await cursor.fetchone()
        assert row is not None
        await self.pause()
        return str(row["number"]).encode()

    async def read(self, process: int) -> None:
        known = self.acknowledged
        found = await self.caches[process].read("key", self.load, 60)
        if int(found.value) < known:
            self.violations.append(f"{int(found.value)} was read after {known} was acknowledged (hit: {found.hit})")

    async def change(self, process: int) -> None:
        async with self.caches[process].unit_of_work(KEY) as work:
            await self.pause(work.connection)
            cursor = await work.connection.execute("UPDATE source SET number = number + 1 RETURNING number")
            row = await cursor.fetchone()
            await self.pause(work.connection)
            await work.commit()
            await self.pause(work.connection)
        assert row is not None
        self.acknowledged = max(self.acknowledged, row["number"])

    async def fail(self, process: int) -> None:
        with suppress(Conflict):
            async with self.caches[process].unit_of_work(KEY):
                await self.pause()
                raise Conflict

    async def take(self, step: Step) -> None:
        action, number = step
        process = number % PROCESSES
        match action:
            case "go on":
                if self.waiting:
                    self.waiting.pop(number % len(self.waiting)).set()
            case "cut off" | "connect":
                pool = self.pools[process]
                port = self.redis.get_connection_kwargs()["port"]
                pool.connection_kwargs["port"] = NOWHERE if action == "cut off" else port
                for connection in (*pool._available_connections, *pool._in_use_connections):
                    connection.port = pool.connection_kwargs["port"]
                await pool.disconnect()
            case "empty":
                async for name in self.redis.scan_iter(f"{self.caches[0]._prefix}:*"):
                    await self.redis.delete(name)
                self.writers.clear()
            case "kill":
                self.kill(number)
            case _:
                work: Callable[[int], Any] = getattr(self, action)
                self.tasks.append(asyncio.create_task(work(process)))
        await self.let_the_others_act()

    async def let_the_others_act(self) -> None:
        for _ in range(ROUND_TRIPS):
            await self.redis.ping()
        await self.database.ping()

    async def end(self) -> None:
        """Lets everyone finish who lives, and then has each process read twice more."""
        await self.finish(*self.tasks, alive=len(self.tasks) - self.killed)
        async with self.database.read() as connection:
            cursor = await connection.execute("SELECT number FROM source")
            row = await cursor.fetchone()
        assert row is not None
        self.acknowledged = row["number"]  # what a killed writer committed must not be hidden by a cache either
        for process in (*range(PROCESSES), *range(PROCESSES)):
            await self.finish(asyncio.create_task(self.read(process)), alive=1)

    async def finish(self, *tasks: asyncio.Task[None], alive: int) -> None:
        while sum(task.done() for task in tasks) < alive:
            for gate in self.waiting:
                gate.set()
            self.waiting.clear()
            await self.let_the_others_act()
        for task in tasks:
            if task.done():
                task.result()


async def violations(server: tuple[str, int], settings: DatabaseSettings, steps: list[Step]) -> list[str]:
    prefix = uuid.uuid4().hex
    configuration = CacheSettings(redis_server=server[0], redis_port=server[1])
    async with AsyncExitStack() as stack:
        pool_of_all = settings.model_copy(update={"pg_pool_max": 40})  # every change holds a connection
        database = await stack.enter_async_context(open_database(pool_of_all))
        async with database.read() as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS source (number int NOT NULL)")
            await connection.execute("TRUNCATE source")
            await connection.execute("INSERT INTO source VALUES (0)")
        clients = [open_redis(configuration) for _ in range(PROCESSES)]
        caches = [Cache(client, database, prefix) for client in clients]
        for each in caches:
            await stack.enter_async_context(each.running())
            await each.ping()
        redis = await stack.enter_async_context(Redis(host=server[0], port=server[1]))
        world = World(caches, [client.connection_pool for client in clients], redis, database)
        try:
            async with asyncio.timeout(60):
                for step in steps:
                    await world.take(step)
                await world.end()
        finally:
            for task in world.tasks:
                task.cancel()
        return world.violations


@pytest.fixture(autouse=True)
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a busy machine: while no look is fresh nothing is cached, and nothing could be wrong."""
    monkeypatch.setattr(generations, "LEASE", 0.5)
    monkeypatch.setattr(generations, "BEAT", 0.1)
    monkeypatch.setattr(generations, "MARGIN", 0.02)
    monkeypatch.setattr(outages, "OUTAGE", 0.02)


RUNS = 20  # of steps that show a violation in most runs

actors = st.integers(0, PROCESSES - 1)
steps = st.lists(
    st.one_of(
        *[st.tuples(st.just("read"), actors)] * 3,
        *[st.tuples(st.just("go on"), st.integers(0, 3))] * 6,
        *[st.tuples(st.just("change"), actors)] * 2,
        st.tuples(st.sampled_from(["fail", "cut off", "connect", "empty", "kill"]), actors),
    ),
    min_size=12,
    max_size=30,
)
LATE_FILL: list[Step] = [  # process 0 has loaded the old value but not stored it when process 1 changes it
    ("read", 0),
    ("go on", 0),
    ("change", 1),
    *[("go on", 1)] * 3,
    ("go on", 0),
    ("read", 1),
]
LATE_READER: list[Step] = [*LATE_FILL[:6], ("read", 0), ("go on", 0)]
CUT_OFF: list[Step] = [  # process 1 changes what process 0 has stored, and cannot tell
    ("read", 0),
    *[("go on", 0)] * 2,
    ("cut off", 1),
    ("change", 1),
]
KILLED: list[Step] = [  # process 0 has loaded the old value, and the writer dies after its commit
    ("change", 1),
    ("read", 0),
    ("go on", 1),
    ("go on", 0),
    ("go on", 1),
    ("kill", 0),
    ("go on", 0),
]
EMPTIED: list[Step] = [("change", 1), ("empty", 0), ("read", 0), ("go on", 1), ("cut off", 1), *[("go on", 0)] * 4]


@pytest.mark.timeout(300)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(steps=LATE_FILL)
@example(steps=LATE_READER)
@example(steps=CUT_OFF)
@example(steps=KILLED)
@example(steps=EMPTIED)
@given(steps=steps)
def test_a_read_after_an_acknowledged_change_never_gives_an_older_value(
    redis_server: tuple[str, int], database_settings: DatabaseSettings, steps: list[Step]
) -> None:
    assert asyncio.run(violations(redis_server, database_settings, steps)) == []


@pytest.fixture
def noticed(redis_server: tuple[str, int], database_settings: DatabaseSettings) -> Callable[[list[Step]], Any]:
    """Whether some run of these steps shows a violation. Not each does: which process is the faster one differs."""

    async def look(steps: list[Step]) -> bool:
        for _ in range(RUNS):
            if await violations(redis_server, database_settings, steps):
                return True
        return False

    return look


async def test_the_world_above_notices_a_cache_that_stores_without_a_lease(
    noticed: Callable[[list[Step]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def store_anyway(self: LeasedEntries, key: str, _token: str, generation: int, value: bytes, ttl: int) -> None:
        await self._redis.set(key, b"%d\n%b" % (generation, value), ex=ttl)

    monkeypatch.setattr(LeasedEntries, "store", store_anyway)
    assert await noticed(LATE_FILL)


async def test_the_world_above_notices_a_change_that_leaves_others_their_leases(
    noticed: Callable[[list[Step]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_FENCE", leases._FENCE.replace(", key .. ':lease'", ""))
    monkeypatch.setattr(leases, "_DROP", leases._DROP.replace(", key .. ':lease'", ""))
    assert await noticed(LATE_FILL)


async def test_the_world_above_notices_a_change_without_a_fence(
    noticed: Callable[[list[Step]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_fence(*_: object) -> None:
        return

    monkeypatch.setattr(LeasedEntries, "fence", no_fence)
    assert await noticed(KILLED)


async def test_the_world_above_notices_a_change_that_does_not_bump_the_generation(
    noticed: Callable[[list[Step]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stay(_self: Generations, _connection: Connection) -> None:
        return

    monkeypatch.setattr(Generations, "bump", stay)
    assert await noticed(CUT_OFF)


async def test_the_world_above_notices_a_change_that_does_not_wait_for_the_others_to_know(
    noticed: Callable[[list[Step]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hurry(_self: Generations) -> None:
        return

    monkeypatch.setattr(generations, "LEASE", 1.0)
    monkeypatch.setattr(generations, "BEAT", 0.5)
    monkeypatch.setattr(Generations, "wait_until_visible", hurry)
    assert await noticed(CUT_OFF)
