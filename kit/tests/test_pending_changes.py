"""What was marked is seen by every look that follows, until it was settled."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from openmusic_kit.cache.pending_changes import MOST, PendingChange, PendingChanges


@pytest.fixture
async def redis(redis_server: tuple[str, int]) -> AsyncIterator[Redis]:
    async with Redis(host=redis_server[0], port=redis_server[1]) as redis:
        yield redis


@pytest.fixture
def kind() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def pending(redis: Redis, kind: str) -> PendingChanges:
    return PendingChanges(redis, kind)


async def changes(pending: PendingChanges) -> dict[str, PendingChange]:
    seen = await pending.look()
    assert seen is not None
    return seen.changes


async def test_what_was_marked_is_seen_by_others_until_it_is_settled(redis: Redis, kind: str) -> None:
    owner, reader = PendingChanges(redis, kind), PendingChanges(redis, kind)
    assert await changes(reader) == {}

    assert await owner.mark("a", 2, b"two\nlines")
    assert await changes(reader) == {"a": PendingChange(2, b"two\nlines")}

    await reader.settle("a", 2)
    assert await changes(reader) == {}


async def test_an_older_change_does_not_replace_a_newer_one(pending: PendingChanges) -> None:
    assert await pending.mark("a", 10, b"new")
    assert await pending.mark("a", 9, b"old")
    assert await pending.mark("a", 10, b"again")

    assert await changes(pending) == {"a": PendingChange(10, b"new")}
    assert await pending.mark("a", 11, b"newest")
    assert await changes(pending) == {"a": PendingChange(11, b"newest")}


async def test_only_what_was_reached_is_settled(pending: PendingChanges) -> None:
    await pending.mark("a", 10, b"")
    await pending.mark("b", 10, b"")

    await pending.settle("a", 9)
    assert set(await changes(pending)) == {"a", "b"}
    await pending.settle("a", 11)
    assert set(await changes(pending)) == {"b"}


async def test_there_are_never_more_than_a_reader_can_fetch(pending: PendingChanges, redis: Redis, kind: str) -> None:
    assert await pending.look()
    for number in range(MOST):
        assert await pending.mark(str(number), 1, b"")

    assert not await pending.mark("one more", 1, b"")
    assert await pending.mark("0", 2, b"")
    await pending.settle("1", 1)
    assert await pending.mark("one more", 1, b"")
    assert await redis.hlen(f"pending:{kind}") == MOST + 1


async def test_the_incarnation_is_the_same_until_redis_was_emptied(redis: Redis, kind: str) -> None:
    first, second = PendingChanges(redis, kind), PendingChanges(redis, kind)
    looks = [await first.look(), await second.look()]
    await first.mark("a", 1, b"")
    await first.settle("a", 1)
    looks.append(await second.look())
    assert len({look.incarnation for look in looks if look}) == 1

    await redis.delete(f"pending:{kind}")
    await first.mark("a", 1, b"")

    after = await second.look()
    assert after is not None and looks[0] is not None
    assert after.incarnation != looks[0].incarnation
    assert set(after.changes) == {"a"}


async def test_nothing_in_it_expires_or_may_be_evicted(redis: Redis, pending: PendingChanges, kind: str) -> None:
    await pending.mark("a", 1, b"")

    assert await redis.ttl(f"pending:{kind}") == -1
    policy: Any = await redis.config_get("maxmemory-policy")
    assert policy["maxmemory-policy"].startswith("volatile-")


async def test_without_redis_nothing_is_known_and_nothing_is_promised(kind: str) -> None:
    async with Redis(host="127.0.0.1", port=1) as away:
        pending = PendingChanges(away, kind)
        assert not await pending.mark("a", 1, b"")
        await pending.settle("a", 1)
        assert await pending.look() is None
