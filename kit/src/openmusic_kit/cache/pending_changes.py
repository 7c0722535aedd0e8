"""Changes that were acknowledged and may not have reached every copy yet, so that a reader of copies misses none.

An event reaches the copies after the answer to its change has left, and much later while the broker is away. So the
owner marks a change here, in Redis, after it has committed and before it answers. Whoever reads copies looks here
first, applies what is pending, and settles it. The mark holds the change itself: the owner need not be asked.

One hash holds, by id, the version of the change, a line break and the change. Nothing in it expires. Its field without
a name is the incarnation: if it is another one than before, Redis was emptied, and marks may be lost. Then a reader has
to compare its copies with the owner once.
"""

import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from openmusic_kit.cache.outages import RedisCalls

MOST = 500  # changes pending at once; each reader fetches them all
INCARNATION = ""

_MARK = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(string.match(known, '^%d+')) >= tonumber(ARGV[2]) then return 1 end
if not known and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '\\n' .. ARGV[3])
return 1
"""
_SETTLE = """
for i = 1, #ARGV, 2 do
    local known = redis.call('HGET', KEYS[1], ARGV[i])
    if known and tonumber(string.match(known, '^%d+')) <= tonumber(ARGV[i + 1]) then
        redis.call('HDEL', KEYS[1], ARGV[i])
    end
end
return 1
"""


@dataclass(frozen=True)
class PendingChange:
    version: int
    content: bytes


@dataclass(frozen=True)
class Pending:
    """``changes`` by id."""

    incarnation: str
    changes: dict[str, PendingChange]


class PendingChanges:
    """The pending changes of one kind of thing. Nothing here raises: Redis may be away."""

    def __init__(self, redis: Redis, kind: str, calls: RedisCalls | None = None) -> None:
        self._redis = redis
        self._key = f"pending:{kind}"
        self._mark = redis.register_script(_MARK)
        self._settle = redis.register_script(_SETTLE)
        self._calls = calls or RedisCalls()
        self.last_incarnation: str | None = None
        """That of the last look that succeeded."""

    async def mark(self, name: str, version: int, content: bytes) -> bool:
        """Whether every look from now on shows this change or a newer one, until that is settled."""
        arguments = [name, version, content, MOST]
        return await self._calls.attempt(lambda: self._run(self._mark, arguments)) == 1

    async def look(self) -> Pending | None:
        """What is pending, or None when that cannot be known."""
        fields = await self._calls.attempt(self._fetch)
        if fields is None:
            return None
        incarnation = self.last_incarnation = fields.pop(INCARNATION.encode()).decode()
        return Pending(incarnation, {name.decode(): _parsed(value) for name, value in fields.items()})

    async def settle(self, name: str, version: int) -> None:
        """To be called when the copies have reached that version. What could not be settled is applied once more."""
        await self.settle_all([(name, version)])

    async def settle_all(self, versions: Sequence[tuple[str, int]]) -> None:
        """Of several changes, each with its name."""
        await self._calls.attempt(lambda: self._run(self._settle, [part for each in versions for part in each]))

    async def _run(self, script: AsyncScript, arguments: list[Any]) -> int:
        answer: int = await script(keys=[self._key], args=arguments)
        return answer

    async def _fetch(self) -> dict[bytes, bytes]:
        fields = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(self._key))
        while INCARNATION.encode() not in fields:
            await self._redis.hsetnx(self._key, INCARNATION, uuid.uuid4().hex)
            fields = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(self._key))
        return fields


def _parsed(value: bytes) -> PendingChange:
    version, _, content = value.partition(b"\n")
    return PendingChange(int(version), content)
