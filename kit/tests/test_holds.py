"""Changes are announced to gateways before they commit, with the fence around what they outdate."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.database.database import Database
from openmusic_kit.edge import messages
from openmusic_kit.errors import Conflict, Unavailable
from openmusic_kit.settings import CacheSettings

OUTDATED = {
    "keys and tags": Invalidation(("key", "other"), ("thing:1", "things:me")),
    "tags alone": Invalidation(tags=("thing:1", "things:me")),
}


class Gateway:
    """Notes what it is told, and in which order with what the test does."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._channel = redis.pubsub(ignore_subscribe_messages=True)
        self.purges: list[tuple[list[str], list[str]]] = []

    async def open(self) -> None:
        await self._channel.subscribe(messages.CHANNEL)
        await self.told()

    async def told(self) -> list[dict[str, Any]]:
        """What has come since this was asked last."""
        end = json.dumps({"tags": [], "end": uuid.uuid4().hex})
        await self._redis.publish(messages.CHANNEL, end)
        found = []
        async for message in self._channel.listen():
            if message["data"].decode() == end:
                return found
            found.append(json.loads(message["data"]))
        raise AssertionError("the channel ended")

    async def purge(self, tags: Iterable[str], lifted: Iterable[str]) -> None:
        self.purges.append((list(tags), list(lifted)))


@pytest.fixture
async def gateway(redis_server: tuple[str, int]) -> AsyncIterator[Gateway]:
    async with Redis(host=redis_server[0], port=redis_server[1]) as redis:
        gateway = Gateway(redis)
        await gateway.open()
        yield gateway
        await gateway._channel.aclose()


@pytest.fixture
async def cache(redis_server: tuple[str, int], database: Database) -> AsyncIterator[Cache]:
    settings = CacheSettings(redis_server=redis_server[0], redis_port=redis_server[1])
    async with AsyncExitStack() as stack:
        cache = Cache(open_redis(settings), database, uuid.uuid4().hex)
        await stack.enter_async_context(cache.running())
        yield cache


@pytest.fixture(params=OUTDATED)
def outdated(request: pytest.FixtureRequest) -> Invalidation:
    return OUTDATED[request.param]


async def test_a_change_is_announced_before_it_commits_and_its_purge_lifts_the_hold(
    gateway: Gateway, cache: Cache, database: Database, outdated: Invalidation
) -> None:
    async with cache.unit_of_work(outdated, purge=gateway.purge) as work:
        (hold,) = await gateway.told()
        await work.commit()
        assert gateway.purges == []

    assert hold == {"hold": hold["hold"], "tags": list(outdated.tags), "seconds": database.longest_change}
    assert gateway.purges == [(list(outdated.tags), [hold["hold"]])]
    assert await gateway.told() == []


async def test_a_single_statement_is_announced_as_well(gateway: Gateway, cache: Cache, outdated: Invalidation) -> None:
    async with cache.autocommit(outdated, purge=gateway.purge) as connection:
        (hold,) = await gateway.told()
        await connection.execute("SELECT 1")
    assert gateway.purges == [(list(outdated.tags), [hold["hold"]])]


async def test_what_a_change_adds_is_under_the_same_hold(gateway: Gateway, cache: Cache) -> None:
    many = tuple(f"thing:{number}" for number in range(messages.BATCH + 1))
    async with cache.unit_of_work(purge=gateway.purge) as work:
        assert await gateway.told() == []
        await work.invalidate(Invalidation(tags=many), Invalidation(("key",), ("things:me",)))
        await work.invalidate(Invalidation(("other",)))
        await work.invalidate(Invalidation(tags=("more:1",)))
        first, second, third = await gateway.told()
        await work.commit()
    assert first["tags"] + second["tags"] + third["tags"] == [*many, "things:me", "more:1"]
    assert len({hold["hold"] for hold in (first, second, third)}) == 1
    assert gateway.purges == [([*many, "things:me", "more:1"], [first["hold"]])]


async def test_what_shows_in_no_answer_is_not_announced(gateway: Gateway, cache: Cache) -> None:
    async with cache.unit_of_work(Invalidation(("key",)), purge=gateway.purge) as work:
        await work.commit()
    assert (gateway.purges, await gateway.told()) == ([], [])


@pytest.mark.parametrize("ending", ["refused", "left"])
async def test_the_hold_of_a_change_that_was_not_made_is_lifted(
    gateway: Gateway, cache: Cache, outdated: Invalidation, ending: str
) -> None:
    try:
        async with cache.unit_of_work(outdated, purge=gateway.purge):
            (hold,) = await gateway.told()
            if ending == "refused":
                raise Conflict
    except Conflict:
        pass
    assert await gateway.told() == [{"tags": [], "lifted": [hold["hold"]]}]
    assert gateway.purges == []


@pytest.mark.parametrize("error", [Unavailable, TimeoutError, asyncio.CancelledError])
async def test_the_hold_of_a_change_in_doubt_stays(
    gateway: Gateway, cache: Cache, outdated: Invalidation, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        async with cache.unit_of_work(outdated, purge=gateway.purge):
            assert len(await gateway.told()) == 1
            raise error
    assert (gateway.purges, await gateway.told()) == ([], [])


@pytest.mark.parametrize("whole", [True, False])
async def test_a_change_that_cannot_be_announced_moves_the_generation(
    gateway: Gateway, database: Database, outdated: Invalidation, *, whole: bool
) -> None:
    nowhere = CacheSettings(redis_server="127.0.0.1", redis_port=1)
    cache = Cache(open_redis(nowhere), database, uuid.uuid4().hex)
    async with cache.running():
        before = cache.generations.look().number
        if whole:
            async with cache.unit_of_work(outdated, purge=gateway.purge) as work:
                await work.commit()
        else:
            async with cache.autocommit(outdated, purge=gateway.purge) as connection:
                await connection.execute("SELECT 1")
        async with database.read() as connection:
            row = await (await connection.execute("SELECT number FROM cache_generation")).fetchone()
    assert row == {"number": before + 1}
    assert [tags for tags, _ in gateway.purges] == [list(outdated.tags)]
