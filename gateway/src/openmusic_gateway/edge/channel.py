"""Keeps the gateways of one installation in step over Redis.

Each gateway registers with a lease and renews it by a beat that travels through the very channel that brings purges:
it is *fresh*, and may answer from its cache, only for ``LEASE`` seconds after it sent the last beat that came back.
Purges and beats arrive in the order in which Redis took them: who has not seen a purge has seen no later beat either.

A purge is published in one step with a look at who is registered, and is over when each of those has acknowledged it or
its lease has run out. Without Redis, or while the registry is too young to know everyone, it is over when nothing
that was fetched before can be alive: ``LIFETIME`` seconds later.
"""

import asyncio
import itertools
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from openmusic_kit import tasks
from openmusic_kit.edge import PURGES

logger = logging.getLogger(__name__)

LIFETIME = 1.0  # seconds that an answer may be kept, counted from when it began to be fetched
LEASE = 1.0  # seconds
MARGIN = 0.05  # seconds by which leases and lifetimes end earlier here than others believe; clocks are not exact
BEAT = 0.2  # seconds between beats
RECONNECT = 0.25  # seconds before the channel is opened again
MAX_ACKNOWLEDGEMENTS = 10_000  # that wait to be sent while Redis hangs
REGISTRY = "gateway:registry"

_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSETNX', KEYS[1], 'since', now)
redis.call('HSET', KEYS[1], ARGV[1], now + ARGV[2])
redis.call('PUBLISH', 'gateway:' .. ARGV[1], ARGV[3])
"""
_PURGE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSETNX', KEYS[1], 'since', now)
local registered = redis.call('HGETALL', KEYS[1])
for i = 1, #registered, 2 do
  if registered[i] ~= 'since' and tonumber(registered[i + 1]) <= now then redis.call('HDEL', KEYS[1], registered[i]) end
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return {tostring(now), registered}
"""


@dataclass
class _Pending:
    """A purge whose acknowledgements are awaited."""

    missing: set[str] = field(default_factory=set)
    early: set[str] = field(default_factory=set)
    """Who acknowledged before it was known whose acknowledgements are wanted."""
    all_in: asyncio.Event = field(default_factory=asyncio.Event)

    def acknowledge(self, gateway: str) -> None:
        self.early.add(gateway)
        self.missing.discard(gateway)
        if not self.missing:
            self.all_in.set()

    def want(self, gateways: Iterable[str]) -> None:
        self.missing = set(gateways) - self.early
        self.all_in.set() if not self.missing else self.all_in.clear()


class PurgeChannel:
    """``on_purge`` is called with the tags of each purge, ``on_silence`` when some may have been missed.

    ``subscriptions`` must not reconnect by itself: what was published meanwhile would be missed without notice.
    """

    def __init__(
        self,
        redis: Redis,
        subscriptions: Redis,
        on_purge: Callable[[list[str]], None],
        on_silence: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._subscriptions = subscriptions
        self._on_purge = on_purge
        self._on_silence = on_silence
        self._clock = clock
        self._id = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._pending: dict[int, _Pending] = {}
        self._acknowledgements: asyncio.Queue[tuple[str, int]] = asyncio.Queue(MAX_ACKNOWLEDGEMENTS)
        self._beat = redis.register_script(_BEAT)
        self._purge = redis.register_script(_PURGE)
        self._fresh_until = 0.0
        self._heard_at = 0.0
        self._warned = False

    @property
    def fresh(self) -> bool:
        return self._clock() < self._fresh_until

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        work = [asyncio.create_task(each()) for each in (self._listen_for_ever, self._beat_for_ever, self._acknowledge)]
        try:
            yield
        finally:
            await tasks.stop(*work)
            with suppress(RedisError, OSError):
                await self._redis.hdel(REGISTRY, self._id)
            await self._redis.aclose()
            await self._subscriptions.aclose()

    async def purge(self, tags: list[str]) -> None:
        """Returns when no other gateway answers any more with what has these tags. Without Redis it takes longest."""
        limit = self._clock() + LIFETIME + MARGIN
        number = next(self._numbers)
        pending = self._pending[number] = _Pending()
        try:
            message = json.dumps({"id": number, "from": self._id, "tags": tags})
            async with asyncio.timeout(limit - self._clock()):
                now, registered = await self._publish(message)
            others = {name: lapses - now for name, lapses in registered.items() if name != self._id and lapses > now}
            if now - registered["since"] < LEASE:
                await self._sleep_until(limit)
            elif others:
                pending.want(others)
                await self._until_settled(pending, others, limit)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            logger.debug("purge could not be published", extra={"error": repr(error)})
            await self._sleep_until(limit)
        finally:
            del self._pending[number]

    async def _publish(self, message: str) -> tuple[float, dict[str, float]]:
        """Redis' time, and until when each gateway is registered, both in seconds; ``since`` is when that began."""
        now, flat = await cast("Awaitable[Any]", self._purge(keys=[REGISTRY], args=[PURGES, message]))
        registered = {flat[i].decode(): float(flat[i + 1]) / 1000 for i in range(0, len(flat), 2)}
        return float(now) / 1000, registered

    async def _until_settled(self, pending: _Pending, others: dict[str, float], limit: float) -> None:
        """``others``: seconds until the lease of each runs out."""
        known_at = self._clock()
        while pending.missing:
            last = min(limit, known_at + max(others[name] for name in pending.missing))
            if self._clock() >= last:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(last - self._clock()):
                    await pending.all_in.wait()

    async def _sleep_until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - self._clock()))

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                async with self._subscriptions.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(PURGES, f"gateway:{self._id}")
                    self._heard_at = self._clock()
                    await self._listen(channel)
            except (RedisError, OSError, ValueError, KeyError) as error:  # what nobody can read may be a purge
                self._fall_silent(error)
            await asyncio.sleep(RECONNECT)

    async def _listen(self, channel: PubSub) -> None:
        """Returns when nothing was heard for so long that the connection must be dead."""
        while self._clock() - self._heard_at < 2 * LEASE:
            message = await channel.get_message(timeout=LEASE)
            if message is not None:
                self._heard_at = self._clock()
                self._take(message["channel"], message["data"])
        self._fall_silent(TimeoutError("nothing was heard"))

    def _take(self, channel: bytes, data: bytes) -> None:
        if channel == PURGES.encode():
            purge = json.loads(data)
            self._on_purge(purge["tags"])
            sender = purge.get("from")
            if sender is not None and sender != self._id:
                if self._acknowledgements.full():
                    self._acknowledgements.get_nowait()  # the oldest; its sender waits for our lease to run out
                self._acknowledgements.put_nowait((sender, purge["id"]))
            return
        kind, first, *rest = data.decode().split()
        if kind == "beat":
            self._fresh_until = max(self._fresh_until, float(first) + LEASE - MARGIN)
            if self._warned:
                logger.info("edge cache is in use again")
                self._warned = False
        elif (pending := self._pending.get(int(first))) is not None:
            pending.acknowledge(rest[0])

    async def _beat_for_ever(self) -> None:
        while True:
            if self._clock() - self._heard_at < LEASE:  # else whoever waits for us would wait in vain
                with suppress(RedisError, OSError):
                    await self._beat(keys=[REGISTRY], args=[self._id, int(LEASE * 1000), f"beat {self._clock()!r}"])
            await asyncio.sleep(BEAT)

    async def _acknowledge(self) -> None:
        while True:
            sender, number = await self._acknowledgements.get()
            with suppress(RedisError, OSError):
                await self._redis.publish(f"gateway:{sender}", f"ack {number} {self._id}")

    def _fall_silent(self, error: Exception) -> None:
        self._fresh_until = 0.0
        self._on_silence()
        if not self._warned:
            logger.warning("edge cache is not in use: no channel to the other gateways", extra={"error": repr(error)})
            self._warned = True
