import asyncio
import json
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from openmusic_kit.edge.messages import BATCH, CHANNEL
from openmusic_kit.edge.publisher import TIMEOUT, PurgePublisher
from openmusic_testkit.interleavings import World, explore
from openmusic_testkit.vanishing import VanishingProxy


async def test_gateways_are_told_all_tags_in_messages_of_bounded_size(redis_server: tuple[str, int]) -> None:
    host, port = redis_server
    tags = [f"thing:{number}" for number in range(BATCH + 1)]
    async with Redis(host=host, port=port) as redis, redis.pubsub() as gateway:
        await gateway.subscribe(CHANNEL)
        await PurgePublisher(redis).publish(tags[:BATCH])
        await PurgePublisher(redis).publish(tags)
        await PurgePublisher(redis).publish([])
        await redis.publish(CHANNEL, "end")
        told = []
        async for message in gateway.listen():
            if message["data"] == b"end":
                break
            if message["type"] == "message":
                told.append(json.loads(message["data"])["tags"])

    assert told == [tags[:BATCH], tags[:BATCH], tags[BATCH:]]


async def test_a_redis_that_does_not_answer_fails_nobody(redis_server: tuple[str, int]) -> None:
    async with VanishingProxy(redis_server[1]).running() as proxy, Redis(port=proxy.port) as redis:
        await redis.ping()
        proxy.vanish()
        async with asyncio.timeout(10):
            await PurgePublisher(redis).publish(["thing:1"])


def test_a_consumer_waits_no_longer_than_gateways_need_to_find_out_by_themselves() -> None:
    class SlowRedis:
        def __init__(self, world: World) -> None:
            self._world = world

        async def publish(self, *_: Any) -> None:
            await self._world.answer(None, 0, 0.4, 60, failing=0.2, error=RedisConnectionError)

    async def scenario(world: World) -> None:
        purges = PurgePublisher(SlowRedis(world))  # type: ignore[arg-type]  # a fake
        await world.within(1.01, purges.publish(["thing:1"] * 3 * BATCH))

    explore("edge purges of a consumer", scenario)
    assert TIMEOUT == 1.0
