"""Counts that all gateways share through Redis, and of which each keeps its own part for as long as Redis is away.

No request waits for a Redis that hangs: it gets ``wait`` seconds, and after a failure it is not asked for a while.
"""

import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from openmusic_gateway.limits.policy import Limit
from openmusic_kit.cache.outages import RedisCalls


class Counts:
    """Counts by limit and key."""

    def __init__(self, redis: Redis, wait: float) -> None:
        storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=redis.connection_pool)  # type: ignore[arg-type]  # its options are typed too narrowly
        self._redis = redis
        self._calls = RedisCalls(
            wait, lost="each gateway limits by itself: no answer from Redis", back="limits are shared again"
        )
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._in_windows = FixedWindowRateLimiter(storage)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def add(self, limit: Limit, key: str) -> None:
        """One more, in the ``seconds`` that slide along with the time."""
        item = _item(limit)
        await self._own.hit(item, key)
        await self._calls.attempt(lambda: self._shared.hit(item, key))

    async def wait_for_room(self, limit: Limit, key: str) -> float:
        """Seconds until one more is within the limit; 0 if it is now."""
        item = _item(limit)
        now = time.time()
        own = await self._own.get_window_stats(item, key)
        shared = await self._calls.attempt(lambda: self._shared.get_window_stats(item, key))
        waits = [stats.reset_time - now for stats in (own, shared) if stats is not None and stats.remaining < 1]
        return max([0.0, *(max(wait, 1.0) for wait in waits)])

    async def add_in_window(self, limit: Limit, key: str, window: int, amount: int) -> bool:
        """Adds to what all gateways counted in that window; False when it is more than the limit."""
        item = _item(limit)
        return await self._calls.attempt(lambda: self._in_windows.hit(item, key, str(window), cost=amount)) is not False


def _item(limit: Limit) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)
