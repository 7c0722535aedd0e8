import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from openmusic_kit.cache.cache import Cache, Cached
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.cache.leases import LeasedEntries
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Conflict, Unavailable
from openmusic_kit.settings import CacheSettings
from openmusic_testkit.waiting import eventually

KEY = Invalidation(("key",))

Eventually = Callable[..., Awaitable[Any]]


class Source:
    """What the cache stands before: a value, and how often it was loaded."""

    def __init__(self, value: bytes = b"one") -> None:
        self.value = value
        self.loads = 0
        self.loading = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def load(self) -> bytes:
        self.loads += 1
        value = self.value
        self.loading.set()
        await self.go_on.wait()
        return value


@pytest.fixture
async def open_cache(
    redis_server: tuple[str, int], database: Database
) -> AsyncIterator[Callable[..., Awaitable[Cache]]]:
    """Caches as separate processes would have them, all with the same entries."""
    prefix = uuid.uuid4().hex
    async with AsyncExitStack() as stack:

        async def opened(*, port: int = redis_server[1]) -> Cache:
            settings = CacheSettings(redis_server=redis_server[0], redis_port=port)
            cache = Cache(open_redis(settings), database, prefix)
            await stack.enter_async_context(cache.running())
            return cache

        yield opened


@pytest.fixture
async def cache(open_cache: Callable[[], Awaitable[Cache]]) -> Cache:
    return await open_cache()


@pytest.fixture
async def other(open_cache: Callable[[], Awaitable[Cache]]) -> Cache:
    return await open_cache()


async def test_the_second_read_is_a_hit_until_a_change(cache: Cache, other: Cache) -> None:
    source = Source()
    assert await cache.read("key", source.load, 60) == Cached(b"one", hit=False)
    assert await other.read("key", source.load, 60) == Cached(b"one", hit=True)
    async with other.unit_of_work(KEY) as work:
        source.value = b"two"
        await work.commit()
    assert await cache.read("key", source.load, 60) == Cached(b"two", hit=False)
    assert await cache.read("key", source.load, 60) == Cached(b"two", hit=True)


async def test_an_entry_lives_as_long_as_it_was_told_to(cache: Cache, redis_server: tuple[str, int]) -> None:
    source = Source()
    await cache.read("key", source.load, 1)
    source.value = b"two"

    async def renewed() -> bool:
        return (await cache.read("key", source.load, 60)).value == b"two"

    await eventually(renewed)
    async with Redis(host=redis_server[0], port=redis_server[1]) as redis:
        (name,) = [name async for name in redis.scan_iter(f"{cache._prefix}:*")]
        assert 50 < await redis.ttl(name) <= 60


async def test_a_thousand_readers_at_once_load_once(cache: Cache) -> None:
    source = Source()
    found = await asyncio.gather(*(cache.read("key", source.load, 60) for _ in range(1000)))
    assert {each.value for each in found} == {b"one"}
    assert source.loads == 1


async def test_readers_of_several_processes_load_once(cache: Cache, other: Cache) -> None:
    source = Source()
    found = await asyncio.gather(*(each.read("key", source.load, 60) for each in (cache, other) * 50))
    assert {each.value for each in found} == {b"one"}
    assert source.loads == 1


async def test_nobody_may_fill_what_another_has_just_filled(cache: Cache, redis_server: tuple[str, int]) -> None:
    await cache.read("key", Source().load, 60)
    generation = cache.generations.current()
    assert generation is not None
    async with Redis(host=redis_server[0], port=redis_server[1]) as redis:
        entries, name = LeasedEntries(redis), f"{cache._prefix}:key"
        assert await entries.lease(name, "late", generation) == "filled"
        assert await entries.lease(name, "late", generation + 1) == "granted"


async def test_who_comes_after_the_loading_began_does_not_get_its_value(cache: Cache) -> None:
    source = Source()
    source.go_on.clear()
    early = asyncio.create_task(cache.read("key", source.load, 60))
    await source.loading.wait()
    async with cache.unit_of_work(KEY) as work:
        source.value = b"two"
        await work.commit()
    late = asyncio.create_task(cache.read("key", source.load, 60))
    source.go_on.set()
    assert (await early).value == b"one"
    assert await late == Cached(b"two", hit=False)
    assert await cache.read("key", source.load, 60) == Cached(b"two", hit=True)


async def test_nothing_is_stored_while_a_change_is_under_way(cache: Cache, other: Cache) -> None:
    source = Source()
    async with cache.unit_of_work() as work:
        await work.invalidate(KEY)
        for _ in range(2):
            assert await other.read("key", source.load, 60) == Cached(b"one", hit=False)
        source.value = b"two"
        await work.commit()
    assert source.loads == 2
    assert await other.read("key", source.load, 60) == Cached(b"two", hit=False)


async def test_the_end_of_one_change_does_not_lift_the_fence_of_another(cache: Cache, other: Cache) -> None:
    source = Source()
    async with cache.unit_of_work(KEY):
        async with other.unit_of_work(KEY):
            pass
        assert not (await other.read("key", source.load, 60)).hit
        assert not (await other.read("key", source.load, 60)).hit


async def test_a_change_that_fails_leaves_nothing_behind(cache: Cache) -> None:
    source = Source()
    with pytest.raises(Conflict):
        async with cache.unit_of_work(KEY):
            raise Conflict
    assert not (await cache.read("key", source.load, 60)).hit
    assert (await cache.read("key", source.load, 60)).hit


async def test_an_entry_stays_fenced_when_its_change_may_yet_be_committed(cache: Cache) -> None:
    source = Source()
    with pytest.raises(Unavailable):
        async with cache.unit_of_work(KEY):
            raise Unavailable
    await cache.read("key", source.load, 60)
    source.value = b"two"
    assert await cache.read("key", source.load, 60) == Cached(b"two", hit=False)


async def test_a_change_of_thousands_of_entries_drops_them_all(cache: Cache) -> None:
    source = Source()
    keys = [f"key-{number}" for number in range(1200)]
    await asyncio.gather(*(cache.read(key, source.load, 60) for key in keys))
    async with cache.unit_of_work(Invalidation(tuple(keys))) as work:
        source.value = b"two"
        await work.commit()
    found = await asyncio.gather(*(cache.read(key, source.load, 60) for key in keys))
    assert {(each.value, each.hit) for each in found} == {(b"two", False)}


async def test_a_reader_that_goes_away_does_not_take_the_others_with_it(cache: Cache) -> None:
    source = Source()
    source.go_on.clear()
    readers = [asyncio.create_task(cache.read("key", source.load, 60)) for _ in range(3)]
    await source.loading.wait()
    readers[0].cancel()
    await asyncio.wait([readers[0]])
    source.go_on.set()
    assert {each.value for each in await asyncio.gather(*readers[1:])} == {b"one"}
    assert source.loads == 1
    assert (await cache.read("key", source.load, 60)).hit


async def test_an_error_of_loading_reaches_all_who_wait_and_is_not_kept(cache: Cache) -> None:
    async def fail() -> bytes:
        raise Conflict("not now")

    outcomes = await asyncio.gather(*(cache.read("key", fail, 60) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in outcomes] == ["not now"] * 3
    assert await cache.read("key", Source().load, 60) == Cached(b"one", hit=False)


async def test_a_cancelled_change_still_drops_the_entry(cache: Cache) -> None:
    source = Source()
    await cache.read("key", source.load, 60)
    inside = asyncio.Event()

    async def change() -> None:
        async with cache.unit_of_work(KEY) as work:
            source.value = b"two"
            await work.commit()
            inside.set()
            await asyncio.Event().wait()

    changing = asyncio.create_task(change())
    await inside.wait()
    changing.cancel()
    await asyncio.wait([changing])
    assert changing.cancelled()
    assert (await cache.read("key", source.load, 60)).value == b"two"


async def test_without_redis_everything_is_loaded_and_one_line_logged(
    open_cache: Callable[..., Awaitable[Cache]], caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    cache = await open_cache(port=1)
    found = await asyncio.gather(*(cache.read("key", source.load, 60) for _ in range(100)))
    assert {(each.value, each.hit) for each in found} == {(b"one", False)}
    assert source.loads <= 2
    async with cache.unit_of_work(KEY) as work:
        source.value = b"two"
        await work.commit()
    assert (await cache.read("key", source.load, 60)).value == b"two"
    with pytest.raises(RedisConnectionError):
        await cache.ping()
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "cache is not available"
    ]


async def test_a_process_cut_off_from_redis_leaves_nothing_outdated_to_the_others(
    open_cache: Callable[..., Awaitable[Cache]], other: Cache
) -> None:
    source, cut_off = Source(), await open_cache(port=1)
    await other.read("key", source.load, 60)
    async with cut_off.unit_of_work(KEY) as work:
        source.value = b"two"
        await work.commit()
    assert await other.read("key", source.load, 60) == Cached(b"two", hit=False)
    assert await other.read("key", source.load, 60) == Cached(b"two", hit=True)


async def test_a_change_that_redis_hears_only_the_beginning_of_leaves_nothing_outdated_to_the_others(
    cache: Cache, other: Cache, test_stack: Any
) -> None:
    source = Source()
    async with cache.unit_of_work(KEY) as work:
        source.value = b"two"
        await work.commit()
        await asyncio.to_thread(test_stack.stop_process, "redis")  # forgets the fence
        await asyncio.to_thread(test_stack.start_process, "redis")
        source.value = b"one"  # as another would see it that asked before the commit
        await other.read("key", source.load, 60)
        source.value = b"two"
        await asyncio.to_thread(test_stack.kill, "redis", "STOP")
    await asyncio.to_thread(test_stack.kill, "redis", "CONT")
    assert (await other.read("key", source.load, 60)).value == b"two"


async def test_a_change_that_is_not_committed_keeps_what_is_cached(
    open_cache: Callable[..., Awaitable[Cache]], other: Cache
) -> None:
    source, cut_off = Source(), await open_cache(port=1)
    await other.read("key", source.load, 60)
    with pytest.raises(Conflict):
        async with cut_off.unit_of_work(KEY):
            raise Conflict
    assert (await other.read("key", source.load, 60)).hit


async def test_the_cache_is_left_alone_while_its_generation_is_not_known(cache: Cache, test_stack: Any) -> None:
    source = Source()
    await cache.read("key", source.load, 60)
    await asyncio.to_thread(test_stack.stop_process, "postgres")
    try:
        await eventually(lambda: cache.generations.current() is None)
        assert not await _hits(cache, source)
    finally:
        await asyncio.to_thread(test_stack.start_process, "postgres")
    await eventually(lambda: _hits(cache, source))


async def test_a_fence_that_could_not_be_lifted_is_lifted_later(cache: Cache, other: Cache, test_stack: Any) -> None:
    source = Source()
    async with cache.unit_of_work(KEY) as work:
        source.value = b"two"
        await work.commit()
        await asyncio.to_thread(test_stack.kill, "redis", "STOP")
    await asyncio.to_thread(test_stack.kill, "redis", "CONT")
    await eventually(lambda: _hits(other, source))
    assert (await other.read("key", source.load, 60)).value == b"two"


async def test_the_cache_works_again_after_a_restart_of_redis(cache: Cache, test_stack: Any) -> None:
    source = Source()
    await asyncio.gather(*(cache.read(f"key-{number}", source.load, 60) for number in range(100)))
    await asyncio.to_thread(test_stack.stop_process, "redis")
    try:
        async with cache.unit_of_work(KEY) as work:
            source.value = b"two"
            await work.commit()
        assert (await cache.read("key", source.load, 60)).value == b"two"
    finally:
        await asyncio.to_thread(test_stack.start_process, "redis")
    await eventually(lambda: _hits(cache, source))
    await cache.ping()


async def _hits(cache: Cache, source: Source) -> bool:
    return (await cache.read("key", source.load, 60)).hit
