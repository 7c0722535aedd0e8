"""Redis with little memory, as it is deployed: what it may evict, and what the cache relies on."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from openmusic_kit.cache.leases import LeasedEntries
from openmusic_local.servers import redis as redis_server
from openmusic_testkit.waiting import eventually

REPOSITORY = Path(__file__).parents[2]
MEMORY = 4_000_000  # bytes; some of them are for Redis itself


@pytest.fixture
async def small_redis(tmp_path: Path) -> AsyncIterator[Redis]:
    if shutil.which("redis-server") is None and shutil.which("valkey-server") is None:
        pytest.skip("Redis is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = redis_server.prepare(tmp_path, port)
    process = subprocess.Popen([*program.command, "--maxmemory", str(MEMORY)], stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - it only starts
    try:
        await eventually(lambda: asyncio.to_thread(program.ready))
        async with Redis(host="127.0.0.1", port=port) as redis:
            yield redis
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def test_however_many_entries_are_stored_a_fence_stands(small_redis: Redis) -> None:
    entries = LeasedEntries(small_redis)
    await entries.fence(["fenced"], "a writer", 60)
    for number in range(200):
        key = f"entry {number}"
        assert await entries.lease(key, "a reader", 1) == "granted"
        await entries.store(key, "a reader", 1, b"x" * 100_000, 60)
    assert (await small_redis.info("stats"))["evicted_keys"] > 100
    assert await entries.lease("fenced", "a reader", 1) == "fenced"
    await entries.drop(["fenced"], "a writer", 0)
    assert await entries.lease("fenced", "a reader", 1) == "granted"
    assert not await small_redis.exists("fenced:fence")


async def test_when_there_is_room_for_nothing_but_fences_no_fence_is_said_to_stand(small_redis: Redis) -> None:
    entries = LeasedEntries(small_redis)
    with pytest.raises(RedisError, match="maxmemory"):
        for number in range(100):
            await entries.fence([f"{number}-{each}-{'x' * 100}" for each in range(500)], "a writer", 60)
    await entries.drop([f"0-{each}-{'x' * 100}" for each in range(500)], "a writer", 0)  # that needs no room


async def test_a_fence_that_has_lapsed_is_swept_by_whoever_comes_next(small_redis: Redis) -> None:
    entries = LeasedEntries(small_redis)
    await entries.fence(["read", "changed"], "dead", 0.5)
    assert await entries.lease("read", "a reader", 1) == "fenced"
    assert await small_redis.ttl("read:fence") == -1, "what has a time to live can be evicted"

    async def granted() -> bool:
        return await entries.lease("read", "a reader", 1) == "granted"

    await eventually(granted)
    await entries.drop(["changed"], "another", 0)
    assert await small_redis.keys("*:fence") == []


@pytest.mark.parametrize(
    "path",
    [
        "compose.yaml",
        "deploy/local/src/openmusic_local/servers/redis.py",
        "deploy/kubernetes/overlays/dev/servers.yaml",
    ],
)
def test_every_redis_that_is_deployed_evicts_only_what_has_a_time_to_live(path: str) -> None:
    words = (REPOSITORY / path).read_text().replace('"', "").replace(",", " ").split()
    assert "--maxmemory" in words
    assert words[words.index("--maxmemory-policy") + 1].rstrip("]") == "volatile-lru"
