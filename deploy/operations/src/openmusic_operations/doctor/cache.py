"""Redis: whether it answers, and evicts only what may be lost."""

import time

from redis.exceptions import RedisError, ResponseError

from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.settings import CacheSettings
from openmusic_operations.doctor.findings import Finding, clock, ok, problem
from openmusic_operations.processes import Configured


async def examine(each: Configured) -> list[Finding]:
    assert isinstance(each.settings, CacheSettings), "of a process with a cache"  # noqa: S101 - for the types
    async with open_redis(each.settings, retries=0) as redis:
        try:
            before = time.time()
            seconds, microseconds = await redis.time()
            skew = seconds + microseconds / 1e6 - (before + time.time()) / 2
            try:
                found = await redis.config_get("maxmemory-policy")
            except ResponseError:  # managed ones hide it
                found = {}
        except (RedisError, OSError) as error:
            return [
                problem(
                    "redis",
                    f"does not answer: {error}",
                    "Is it up, and are REDIS_SERVER, REDIS_PORT, REDIS_PASSWORD and REDIS_TLS right? "
                    "Without it all works, but slower.",
                )
            ]
    return [clock("redis", skew), _eviction(found.get("maxmemory-policy"))]


def _eviction(policy: str | None) -> Finding:
    if policy is None:
        return ok("redis", "answers; does not show how it evicts, which must be volatile-lru or noeviction")
    if policy.startswith("allkeys"):
        return problem(
            "redis",
            f"evicts by {policy}, so that what guards the cache may be lost",
            "Set maxmemory-policy to volatile-lru (docs/adr/0036).",
        )
    return ok("redis", f"answers, and evicts by {policy}")
