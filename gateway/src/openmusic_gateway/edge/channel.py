"""Purges the edge caches of all gateways of one installation, over Redis.

Each gateway registers with a lease and renews it by heartbeats, which travel through the channel that also carries
purges. It is *fresh*, and may respond from its cache, only for ``LEASE`` seconds after it sent the last heartbeat that
came back. Redis keeps the order of purges and heartbeats: a gateway that missed a purge receives no later heartbeat.

A purge is published atomically with a read of the registry. It ends when every registered gateway has acknowledged it
or its lease has expired. Without Redis, or while the registry is too young to name every gateway, it ends after
``MAX_WAIT``: by then every gateway has received the hold that announced the change, or is not fresh any more, and
what it fetched in between has expired.
"""

import asyncio
import itertools
import json
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from openmusic_kit import tasks
from openmusic_kit.edge import messages

logger = logging.getLogger(__name__)

SHORT_LIFETIME = 1.0  # seconds that a response may be kept whose changes may not all be announced
LEASE = 1.0  # seconds
MARGIN = 0.05  # seconds by which leases and lifetimes end earlier here than elsewhere; clocks are not exact
MAX_WAIT = max(LEASE, SHORT_LIFETIME) + MARGIN  # seconds that a purge takes at most
HEARTBEAT_INTERVAL = 0.2  # seconds
RECONNECT_DELAY = 0.25  # seconds
MAX_ACKNOWLEDGEMENTS = 10_000  # queued while Redis hangs
REGISTRY = "gateway:registry"

_HEARTBEAT = """
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
class _PendingPurge:
    """A purge that waits for acknowledgements."""

    missing: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    """Some acknowledge before it is known which gateways are registered."""
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def acknowledge(self, gateway: str) -> None:
        self.acknowledged.add(gateway)
        self.missing.discard(gateway)
        if not self.missing:
            self.complete.set()

    def expect(self, gateways: Iterable[str]) -> None:
        self.missing = set(gateways) - self.acknowledged
        self.complete.set() if not self.missing else self.complete.clear()


class Listener(Protocol):
    """What messages are for."""

    def on_hold(self, hold_id: str, tags: list[str], seconds: float) -> None: ...

    def on_purge(self, tags: list[str], lifted: list[str]) -> None: ...

    def on_disconnect(self) -> None:
        """Messages may have been missed."""


class PurgeChannel:
    """``subscriptions`` must not reconnect on its own: purges published in between would be missed unnoticed."""

    def __init__(
        self,
        redis: Redis,
        subscriptions: Redis,
        listener: Listener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._subscriptions = subscriptions
        self._listener = listener
        self._clock = clock
        self._id = uuid.uuid4().hex
        self._purge_ids = itertools.count()
        self._pending: dict[int, _PendingPurge] = {}
        self._acknowledgements: asyncio.Queue[tuple[str, int]] = asyncio.Queue(MAX_ACKNOWLEDGEMENTS)
        self._heartbeat_script = redis.register_script(_HEARTBEAT)
        self._purge_script = redis.register_script(_PURGE)
        self._fresh_until = 0.0
        self._last_message_at = 0.0
        self.complete_since = math.inf
        """Since when no message was missed; a time of the clock."""
        self._warned = False

    @property
    def fresh(self) -> bool:
        return self._clock() < self._fresh_until

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        work = (self._listen, self._send_heartbeats, self._send_acknowledgements)
        running = [asyncio.create_task(each()) for each in work]
        try:
            yield
        finally:
            await tasks.stop(*running)
            with suppress(RedisError, OSError):
                await self._redis.hdel(REGISTRY, self._id)
            await self._redis.aclose()
            await self._subscriptions.aclose()

    async def purge(self, tags: list[str], lifted: list[str]) -> None:
        """Returns when no other gateway responds any more with what has these tags: after MAX_WAIT at the latest."""
        limit = self._clock() + MAX_WAIT
        number = next(self._purge_ids)
        pending = self._pending[number] = _PendingPurge()
        try:
            message = messages.acknowledged_purge(number, self._id, tags, lifted)
            async with asyncio.timeout(limit - self._clock()):
                now, registered = await self._publish(message)
            others = {
                gateway: expires_at - now
                for gateway, expires_at in registered.items()
                if gateway != self._id and expires_at > now
            }
            if now - registered["since"] < LEASE:
                await self._sleep_until(limit)
            elif others:
                pending.expect(others)
                await self._wait_for_acknowledgements(pending, others, limit)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            logger.debug("purge not published", extra={"error": repr(error)})
            await self._sleep_until(limit)
        finally:
            del self._pending[number]

    async def _publish(self, message: str) -> tuple[float, dict[str, float]]:
        """Redis' time, and when each gateway's lease expires, both in seconds; ``since`` is the registry's start."""
        now, flat = await cast("Awaitable[Any]", self._purge_script(keys=[REGISTRY], args=[messages.CHANNEL, message]))
        registered = {flat[i].decode(): float(flat[i + 1]) / 1000 for i in range(0, len(flat), 2)}
        return float(now) / 1000, registered

    async def _wait_for_acknowledgements(self, pending: _PendingPurge, others: dict[str, float], limit: float) -> None:
        """``others``: seconds until the lease of each gateway expires."""
        started = self._clock()
        while pending.missing:
            last = min(limit, started + max(others[name] for name in pending.missing))
            if self._clock() >= last:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(last - self._clock()):
                    await pending.complete.wait()

    async def _sleep_until(self, deadline: float) -> None:
        await asyncio.sleep(max(0.0, deadline - self._clock()))

    async def _listen(self) -> None:
        while True:
            try:
                async with self._subscriptions.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(messages.CHANNEL, f"gateway:{self._id}")
                    self._last_message_at = self._clock()
                    await self._receive(channel)
            except (RedisError, OSError, ValueError, KeyError) as error:  # a malformed message may be a purge
                self._disconnected(error)
            await asyncio.sleep(RECONNECT_DELAY)

    async def _receive(self, channel: PubSub) -> None:
        """Returns after so long without a message, heartbeats included, that the connection must be dead."""
        while self._clock() - self._last_message_at < 2 * LEASE:
            message = await channel.get_message(timeout=LEASE)
            if message is not None:
                self._last_message_at = self._clock()
                self._handle(message["channel"], message["data"])
        self._disconnected(TimeoutError("no heartbeat came back"))

    def _handle(self, channel: bytes, data: bytes) -> None:
        if channel == messages.CHANNEL.encode():
            self._handle_change(json.loads(data))
            return
        kind, first, *rest = data.decode().split()
        if kind == "beat":
            self.complete_since = min(self.complete_since, self._clock())
            self._fresh_until = max(self._fresh_until, float(first) + LEASE - MARGIN)
            if self._warned:
                logger.info("edge cache enabled again")
                self._warned = False
        elif (pending := self._pending.get(int(first))) is not None:
            pending.acknowledge(rest[0])

    def _handle_change(self, message: dict[str, Any]) -> None:
        if "hold" in message:
            self._listener.on_hold(message["hold"], message["tags"], message["seconds"])
            return
        self._listener.on_purge(message["tags"], message.get("lifted", []))
        sender = message.get("from")
        if sender is not None and sender != self._id:
            if self._acknowledgements.full():
                self._acknowledgements.get_nowait()  # the oldest; its sender waits until our lease expires
            self._acknowledgements.put_nowait((sender, message["id"]))

    async def _send_heartbeats(self) -> None:
        while True:
            if self._clock() - self._last_message_at < LEASE:  # else writers would wait for us in vain
                with suppress(RedisError, OSError):
                    heartbeat = f"beat {self._clock()!r}"
                    await self._heartbeat_script(keys=[REGISTRY], args=[self._id, int(LEASE * 1000), heartbeat])
            await asyncio.sleep(HEARTBEAT_INTERVAL)

    async def _send_acknowledgements(self) -> None:
        while True:
            sender, number = await self._acknowledgements.get()
            with suppress(RedisError, OSError):
                await self._redis.publish(f"gateway:{sender}", f"ack {number} {self._id}")

    def _disconnected(self, error: Exception) -> None:
        self._fresh_until = 0.0
        self.complete_since = math.inf
        self._listener.on_disconnect()
        if not self._warned:
            logger.warning("edge cache disabled: no channel to the other gateways", extra={"error": repr(error)})
            self._warned = True
