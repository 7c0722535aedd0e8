"""The one promise of the cache: a read that begins after a change was acknowledged never gives an older value.

Hypothesis invents the interleavings: which process reads or changes, and when each load, commit and return goes on.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from openmusic_kit.cache import Cache
from openmusic_kit.errors import Conflict
from openmusic_kit.leases import LeasedEntries
from openmusic_kit.settings import CacheSettings

PROCESSES = 2
ROUND_TRIPS = 8  # more than any step takes on connections that are open
Step = tuple[Literal["read", "change", "fail", "go on"], int]


@dataclass
class World:
    """A source whose value is the number of its last change, and everyone who waits for permission to go on."""

    caches: list[Cache]
    redis: Redis
    committed: int = 0
    acknowledged: int = 0
    waiting: list[asyncio.Event] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    async def pause(self) -> None:
        gate = asyncio.Event()
        self.waiting.append(gate)
        await gate.wait()

    async def load(self) -> bytes:
        await self.pause()
        value = self.committed
        await self.pause()
        return str(value).encode()

    async def read(self, cache: Cache) -> None:
        known = self.acknowledged
        found = await cache.read("key", self.load, 60)
        if int(found.value) < known:
            self.violations.append(f"{int(found.value)} was read after {known} was acknowledged (hit: {found.hit})")

    async def change(self, cache: Cache) -> None:
        async with cache.changing("key"):
            await self.pause()
            self.committed += 1
            mine = self.committed
            await self.pause()
        self.acknowledged = max(self.acknowledged, mine)

    async def fail(self, cache: Cache) -> None:
        try:
            async with cache.changing("key"):
                await self.pause()
                raise Conflict
        except Conflict:
            return

    async def take(self, step: Step) -> None:
        action, number = step
        if action == "go on":
            if self.waiting:
                self.waiting.pop(number % len(self.waiting)).set()
        else:
            work: Callable[[Cache], Any] = getattr(self, action)
            self.tasks.append(asyncio.create_task(work(self.caches[number % PROCESSES])))
        await self.let_the_others_act()

    async def let_the_others_act(self) -> None:
        for _ in range(ROUND_TRIPS):
            await self.redis.ping()

    async def end(self) -> None:
        """Lets everyone finish, and then has each process read once more."""
        while any(not task.done() for task in self.tasks):
            for gate in self.waiting:
                gate.set()
            self.waiting.clear()
            await self.let_the_others_act()
        await asyncio.gather(*self.tasks)
        for cache in self.caches:
            reading = asyncio.create_task(self.read(cache))
            while not reading.done():
                for gate in self.waiting:
                    gate.set()
                self.waiting.clear()
                await self.let_the_others_act()
            await reading


async def violations(server: tuple[str, int], steps: list[Step]) -> list[str]:
    prefix = uuid.uuid4().hex
    configuration = CacheSettings(redis_server=server[0], redis_port=server[1])
    async with AsyncExitStack() as stack:
        caches = [Cache.from_settings(configuration, prefix) for _ in range(PROCESSES)]
        for cache in caches:
            await stack.enter_async_context(cache.running())
            await cache.ping()
        redis = await stack.enter_async_context(Redis(host=server[0], port=server[1]))
        world = World(caches, redis)
        for step in steps:
            await world.take(step)
        await world.end()
        return world.violations


actors = st.integers(0, PROCESSES - 1)
steps = st.lists(
    st.one_of(
        *[st.tuples(st.just("read"), actors)] * 3,
        *[st.tuples(st.just("go on"), st.integers(0, 3))] * 6,
        *[st.tuples(st.just("change"), actors)] * 2,
        st.tuples(st.just("fail"), actors),
    ),
    min_size=12,
    max_size=30,
)
LATE_FILL: list[Step] = [  # process 0 has loaded the old value but not stored it when process 1 changes it
    ("read", 0),
    ("go on", 0),
    ("change", 1),
    ("go on", 1),
    ("go on", 1),
    ("go on", 0),
    ("read", 1),
]
LATE_READER: list[Step] = [*LATE_FILL[:5], ("read", 0), ("go on", 0)]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(steps=LATE_FILL)
@example(steps=LATE_READER)
@given(steps=steps)
def test_a_read_after_an_acknowledged_change_never_gives_an_older_value(
    redis_server: tuple[str, int], steps: list[Step]
) -> None:
    assert asyncio.run(violations(redis_server, steps)) == []


async def test_the_world_above_notices_a_cache_that_stores_without_a_lease(
    redis_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def store_anyway(self: LeasedEntries, key: str, _token: str, value: bytes, ttl: int) -> None:
        await self._redis.set(key, value, ex=ttl)

    monkeypatch.setattr(LeasedEntries, "store", store_anyway)
    assert await violations(redis_server, LATE_FILL) != []
