"""The entries of a cache in Redis, with leases for those who fill them and fences for those who change the source.

The lease is from Nishtala et al., "Scaling Memcache at Facebook" (NSDI 2013): who finds nothing may fill the entry
only with a token, and a change takes the token away, so that a fill that raced with the change is not stored. A change
also fences the entry *before* it commits: even if its process dies before it could drop the entry, nothing old is
stored there meanwhile.

``<key>`` holds the generation (see ``generations``), a line break and the value, ``<key>:lease`` the token of the one
reader that may fill it, and ``<key>:fence`` the tokens of all writers that change it at the moment, each with the time
(seconds since 1970, of Redis' clock) when it lapses.

Redis must evict by ``volatile-lru``: entries and leases have a time to live and may go, fences have none and stay. (A
lease that is gone only means that nothing is stored.) A fence whose process died stays until somebody next reads or
changes its entry: some hundred bytes. When only fences are left, fencing fails like in an outage.
"""

import math
from collections.abc import Awaitable, Sequence
from typing import Any, Literal, cast

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from openmusic_kit.edge.messages import CHANNEL

LEASE_LIFETIME = 10  # seconds; a fill that takes longer is not stored
BATCH = 500  # entries that one script touches; Redis does nothing else meanwhile

_LEASE = """
if redis.call('GETRANGE', KEYS[3], 0, #ARGV[3] - 1) == ARGV[3] then return 'filled' end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', redis.call('TIME')[1])
if redis.call('EXISTS', KEYS[2]) == 1 then return 'fenced' end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then return 'granted' end
return 'taken'
"""
_STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_FENCE = """
local lapses = redis.call('TIME')[1] + ARGV[2]
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key .. ':fence', lapses, ARGV[1])
  redis.call('DEL', key, key .. ':lease')
end
for i = 4, #ARGV do redis.call('PUBLISH', ARGV[3], ARGV[i]) end
"""
_DROP = """
local now = redis.call('TIME')[1]
for _, key in ipairs(KEYS) do
  redis.call('DEL', key, key .. ':lease')
  redis.call('ZREMRANGEBYSCORE', key .. ':fence', '-inf', now)
  if tonumber(ARGV[2]) > 0 then
    redis.call('ZADD', key .. ':fence', now + ARGV[2], ARGV[1])
  else
    redis.call('ZREM', key .. ':fence', ARGV[1])
  end
end
for i = 4, #ARGV do redis.call('PUBLISH', ARGV[3], ARGV[i]) end
"""

Answer = Literal["granted", "taken", "fenced", "filled"]


class LeasedEntries:
    """Every method is one step in Redis that happens as a whole, and raises RedisError or OSError without Redis.

    A step that was sent but whose answer got lost may still happen later; none of them does harm then.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lease = redis.register_script(_LEASE)
        self._store = redis.register_script(_STORE)
        self._release = redis.register_script(_RELEASE)
        self._fence = redis.register_script(_FENCE)
        self._drop = redis.register_script(_DROP)

    async def get(self, keys: Sequence[str], generation: int) -> dict[str, bytes]:
        """The values that are there, but for those of another generation."""
        entries = cast("list[bytes | None]", await self._redis.mget(keys))
        mark = _mark(generation)
        found = zip(keys, entries, strict=True)
        return {key: entry[len(mark) :] for key, entry in found if entry and entry.startswith(mark)}

    async def lease(self, key: str, token: str, generation: int) -> Answer:
        """``granted`` is the permission to store; ``taken``: another reader has it, ``filled``: has used it already;
        ``fenced``: nobody may.
        """
        keys = [f"{key}:lease", f"{key}:fence", key]
        answer = await cast("Awaitable[bytes]", self._lease(keys=keys, args=[token, LEASE_LIFETIME, _mark(generation)]))
        return cast("Answer", answer.decode())

    async def leased(self, key: str) -> bool:
        return bool(await self._redis.exists(f"{key}:lease"))

    async def store(self, key: str, token: str, generation: int, value: bytes, ttl: int) -> None:
        """Stores the value for ``ttl`` seconds if the lease is still held."""
        entry = _mark(generation) + value
        await cast("Awaitable[int]", self._store(keys=[key, f"{key}:lease"], args=[token, entry, ttl]))

    async def release(self, key: str, token: str) -> None:
        await cast("Awaitable[int]", self._release(keys=[f"{key}:lease"], args=[token]))

    async def fence(self, keys: Sequence[str], token: str, lifetime: float, messages: Sequence[str] = ()) -> None:
        """Drops the entries and refuses leases on them until :meth:`drop`, or for ``lifetime`` seconds.

        Publishes these messages to the gateways as well.
        """
        await self._run(self._fence, keys, [token, _whole(lifetime), CHANNEL], messages)

    async def drop(self, keys: Sequence[str], token: str, hold_for: float, messages: Sequence[str] = ()) -> None:
        """Drops the entries and whatever lease there is; that fence, and no other's, stays ``hold_for`` seconds.

        Publishes these messages to the gateways as well.
        """
        await self._run(self._drop, keys, [token, _whole(hold_for), CHANNEL], messages)

    async def _run(self, script: AsyncScript, keys: Sequence[str], args: list[Any], messages: Sequence[str]) -> None:
        """The script in batches of keys; the first one publishes."""
        for batch in _batches(keys) or [[]]:
            await cast("Awaitable[None]", script(keys=batch, args=[*args, *messages]))
            messages = ()

    async def ping(self) -> None:
        await self._redis.ping()

    async def aclose(self) -> None:
        await self._redis.aclose()


def _mark(generation: int) -> bytes:
    return b"%d\n" % generation


def _whole(seconds: float) -> int:
    """Never fewer: Redis' clock is read in whole seconds, which cuts off up to one."""
    return math.ceil(seconds) + 1 if seconds else 0


def _batches(keys: Sequence[str]) -> list[list[str]]:
    return [list(keys[start : start + BATCH]) for start in range(0, len(keys), BATCH)]
