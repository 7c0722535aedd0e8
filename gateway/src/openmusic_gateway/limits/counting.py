"""Counters that all gateways share in Redis; each gateway also counts its own share, for when Redis is away.

No request waits for a Redis that hangs: Redis gets ``wait`` seconds, and no calls for a while after a failure.
"""

import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from openmusic_gateway.limits.policy import Limit
from openmusic_kit.cache.outages import RedisCalls


class Counters:
    """One for each limit and key."""

    def __init__(self, redis: Redis, wait: float) -> None:
        storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=redis.connection_pool)  # type: ignore[arg-type]  # its options are typed too narrowly
        self._redis = redis
        self._calls = RedisCalls(
            wait, lost="limits not shared between gateways: no response from Redis", back="limits shared again"
        )
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._fixed_windows = FixedWindowRateLimiter(storage)
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def add(self, limit: Limit, key: str) -> None:
        """Counts one more in the sliding window."""
        item = _item(limit)
        await self._local.hit(item, key)
        await self._calls.attempt(lambda: self._shared.hit(item, key))

    async def wait_for_room(self, limit: Limit, key: str) -> float:
        """Seconds until one more is within the limit; 0 if it is already."""
        item = _item(limit)
        now = time.time()
        local = await self._local.get_window_stats(item, key)
        shared = await self._calls.attempt(lambda: self._shared.get_window_stats(item, key))
        waits = [stats.reset_time - now for stats in (local, shared) if stats is not None and stats.remaining < 1]
        return max([0.0, *(max(wait, 1.0) for wait in waits)])

    async def add_in_window(self, limit: Limit, key: str, window: int, amount: int) -> bool:
        """Adds to the count of all gateways in a fixed window. False when it then exceeds the limit."""
        item = _item(limit)
        return (
            await self._calls.attempt(lambda: self._fixed_windows.hit(item, key, str(window), cost=amount)) is not False
        )


def _item(limit: Limit) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)
