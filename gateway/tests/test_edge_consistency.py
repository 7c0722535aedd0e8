"""The one promise of the edge cache: a read that begins after a write was answered never gives an older value.

Hypothesis invents the interleavings: which gateway reads or writes, when each fetch, commit and answer goes on, when
the messages of a gateway's channel are held up or lost, when it cannot publish, when it is killed, and when a service
changes something without a gateway. The gateways share a real Redis; test_edge_interleavings.py does without, tries
many more, and lets services fail too.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from openmusic_gateway.edge import cache as cache_module
from openmusic_gateway.edge import channel as channel_module
from openmusic_gateway.edge.cache import EdgeCache, FetchedResponse
from openmusic_gateway.edge.channel import REGISTRY, Listener, PurgeChannel
from openmusic_gateway.edge.entries import Key
from openmusic_gateway.edge.generations import Generation, Generations
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.edge import messages
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.settings import CacheSettings

GATEWAYS = 3
LONGEST_CHANGE = 0.3  # seconds
KEY: Key = ("/thing", b"", "")
TAG = "thing"
ROUND_TRIPS = 8  # to Redis; more than any step takes on connections that are open
Step = tuple[Literal["read", "write", "lose", "change", "go on", "hold up", "cut", "mute", "stop", "kill", "wait"], int]


class Publisher:
    """A gateway's commands to Redis, which can be cut off."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.cut = False

    def register_script(self, text: str) -> Callable[..., Any]:
        script = self._redis.register_script(text)

        async def run(**given: Any) -> Any:
            self._refuse_when_cut()
            return await script(**given)

        return run

    async def publish(self, channel: str, message: str) -> None:
        self._refuse_when_cut()
        await self._redis.publish(channel, message)

    async def hdel(self, name: str, field: str) -> None:
        self._refuse_when_cut()
        await self._redis.hdel(name, field)

    async def aclose(self) -> None:
        await self._redis.aclose()

    def _refuse_when_cut(self) -> None:
        if self.cut:
            raise RedisConnectionError


class HeldUpChannel(PurgeChannel):
    """A channel whose messages can be held up on their way, and whose connection can be cut."""

    held: list[tuple[bytes, bytes]] | None = None
    publisher: Publisher

    def _handle(self, channel: bytes, data: bytes) -> None:
        if self.held is None:
            super()._handle(channel, data)
        else:
            self.held.append((channel, data))

    def hold_up_or_let_go(self) -> None:
        if self.held is None:
            self.held = []
        else:
            held, self.held = self.held, None
            for message in held:
                super()._handle(*message)

    async def cut(self) -> None:
        """What was held up is lost with the connection."""
        if self.held is not None:
            self.held = []
        await self._subscriptions.connection_pool.disconnect(inuse_connections=True)


@dataclass
class World:
    """A service whose value is the number of its last write, and everyone who waits for permission to go on."""

    redis: Redis
    configuration: CacheSettings
    caches: dict[int, EdgeCache] = field(default_factory=dict)
    channels: dict[int, HeldUpChannel] = field(default_factory=dict)
    processes: dict[int, AsyncExitStack] = field(default_factory=dict)
    committed: int = 0
    answered: int = 0
    hits: int = 0
    waiting: list[asyncio.Event] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    async def start(self, number: int) -> None:
        def open_channel(listener: Listener) -> HeldUpChannel:
            publisher = Publisher(open_redis(self.configuration))
            subscriptions = open_redis(self.configuration, retries=0)
            channel = HeldUpChannel(publisher, subscriptions, listener)  # type: ignore[arg-type]  # a proxy
            channel.publisher = publisher
            self.channels[number] = channel
            return channel

        async def ask(_: str) -> Generation:
            return Generation(number=0, age=0.0, longest_change=LONGEST_CHANGE)

        self.caches[number] = EdgeCache(1_000_000, open_channel, partial(Generations, ("thing",), ask))
        self.caches[number]._generations.want()
        self.processes[number] = AsyncExitStack()
        await self.processes[number].enter_async_context(self.caches[number].running())

    async def pause(self) -> None:
        gate = asyncio.Event()
        self.waiting.append(gate)
        await gate.wait()

    async def load(self) -> FetchedResponse:
        await self.pause()
        value = self.committed
        await self.pause()
        return FetchedResponse([], str(value).encode(), (TAG,), announced=True)

    async def read(self, number: int) -> None:
        known = self.answered
        cache = self.caches[number]
        entry = cache.get(KEY) or await cache.join(KEY, asyncio.get_running_loop().time() + 60)
        if entry is not None:
            self.hits += 1
            found = int(entry.body)
        else:
            answer = await cache.fetch(KEY, self.load)
            assert answer is not None
            found = int(answer.body)
        if found < known:
            self.violations.append(f"{found} was read after {known} was answered (kept: {entry is not None})")

    async def commit(self) -> tuple[int, str]:
        """The value, and the hold that announced it."""
        await self.pause()
        hold = uuid.uuid4().hex
        for message in messages.holds(hold, [TAG], LONGEST_CHANGE):
            await self.redis.publish(messages.CHANNEL, message)
        self.committed += 1
        return self.committed, hold

    async def lose(self, _: int) -> None:
        """A write whose gateway is killed between the commit and the purge: nobody gets an answer."""
        await self.commit()

    async def change(self, _: int) -> None:
        _, hold = await self.commit()
        await PurgePublisher(self.redis).publish([TAG], [hold])

    async def write(self, number: int) -> None:
        cache = self.caches[number]
        mine, hold = await self.commit()
        await self.pause()
        await cache.purge([TAG], [hold])
        self.answered = max(self.answered, mine)

    async def take(self, step: Step) -> None:
        action, number = step
        if action == "go on":
            if self.waiting:
                self.waiting.pop(number % len(self.waiting)).set()
        elif action == "hold up":
            self.channels[number % GATEWAYS].hold_up_or_let_go()
        elif action == "cut":
            await self.channels[number % GATEWAYS].cut()
        elif action == "mute":
            publisher = self.channels[number % GATEWAYS].publisher
            publisher.cut = not publisher.cut
        elif action in {"stop", "kill"}:
            self.channels[number % GATEWAYS].publisher.cut = action == "kill"
            await self.processes[number % GATEWAYS].aclose()
            await self.start(number % GATEWAYS)
        elif action == "wait":
            await asyncio.sleep(channel_module.MAX_WAIT + channel_module.MARGIN)
        else:
            work: Callable[[int], Any] = getattr(self, action)
            self.tasks.append(asyncio.create_task(work(number % GATEWAYS)))
        await self.let_the_others_act()

    async def let_the_others_act(self) -> None:
        for _ in range(ROUND_TRIPS):
            await self.redis.ping()

    async def end(self) -> None:
        """Lets everyone finish, and then has each gateway read once more."""
        await self._finish(self.tasks)
        await self._finish([asyncio.create_task(self.read(number)) for number in range(GATEWAYS)])

    async def _finish(self, tasks: list[asyncio.Task[None]]) -> None:
        while any(not task.done() for task in tasks):
            for gate in self.waiting:
                gate.set()
            self.waiting.clear()
            await self.let_the_others_act()
        await asyncio.gather(*tasks)


async def _play(server: tuple[str, int], steps: list[Step]) -> World:
    configuration = CacheSettings(redis_server=server[0], redis_port=server[1])
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(Redis(host=server[0], port=server[1]))
        await redis.delete(REGISTRY)
        await redis.hset(REGISTRY, "since", 0)  # as if everyone had had the time to register
        world = World(redis, configuration)
        for number in range(GATEWAYS):
            await world.start(number)
            stack.push_async_callback(lambda number=number: world.processes[number].aclose())
        async with asyncio.timeout(60):  # on a busy machine a beat may take longer than a lease of a fifth of a second
            while not all(channel.fresh for channel in world.channels.values()) or not all(
                cache._generations.known for cache in world.caches.values()
            ):
                await asyncio.sleep(0.005)
        for step in steps:
            await world.take(step)
        await world.end()
        return world


def play(server: tuple[str, int], steps: list[Step]) -> World:
    return asyncio.run(_play(server, steps))


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Times a fifth as long as the real ones, so that hypothesis sees many leases run out."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (channel_module, cache_module):
            for name in ("SHORT_LIFETIME", "MAX_WAIT", "LEASE", "HEARTBEAT_INTERVAL", "MARGIN", "RECONNECT_DELAY"):
                if hasattr(module, name):
                    patch.setattr(module, name, getattr(channel_module, name) / (1 if module is cache_module else 5))
        yield


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs out: what goes wrong then goes wrong for want of the piece that is missing."""
    for name in ("LEASE", "MAX_WAIT"):
        monkeypatch.setattr(channel_module, name, 60)
    monkeypatch.setattr(cache_module, "SHORT_LIFETIME", 60)


gateways = st.integers(0, GATEWAYS - 1)
steps = st.lists(
    st.one_of(
        *[st.tuples(st.just("read"), gateways)] * 4,
        *[st.tuples(st.just("go on"), st.integers(0, 3))] * 8,
        *[st.tuples(st.just("write"), gateways)] * 2,
        *[st.tuples(st.just(action), gateways) for action in ("hold up", "cut", "mute", "lose", "change")],
        st.tuples(st.sampled_from(["stop", "kill", "wait"]), gateways),
    ),
    min_size=10,
    max_size=30,
)
KEPT: list[Step] = [("read", 0), ("go on", 0), ("go on", 0)]
WRITTEN_ELSEWHERE: list[Step] = [*KEPT, ("write", 1), ("go on", 0), ("go on", 0), ("read", 0)]
PURGE_HELD_UP: list[Step] = [*KEPT, ("hold up", 0), ("write", 1), ("go on", 0), ("go on", 0), ("read", 0)]
PURGE_LOST: list[Step] = [*KEPT, ("hold up", 0), ("write", 1), ("go on", 0), ("go on", 0), ("cut", 0), ("read", 0)]
LATE_FILL: list[Step] = [
    ("read", 0),
    ("go on", 0),  # gateway 0 has the old value, but not kept it, when gateway 1 writes
    ("write", 1),
    ("go on", 1),
    ("go on", 1),
    ("go on", 0),
    ("read", 0),
]
LATE_READER: list[Step] = [*LATE_FILL[:5], ("read", 0), ("go on", 0)]
LATE_JOIN: list[Step] = [
    ("read", 0),
    ("go on", 0),  # gateway 0 has the old value when gateway 1, which cannot publish, writes and waits out what it can
    ("mute", 1),
    ("write", 1),
    ("go on", 1),
    ("go on", 1),
    ("wait", 0),
    ("read", 0),
    ("go on", 0),
]
PURGE_UNPUBLISHED: list[Step] = [*KEPT, ("mute", 1), ("write", 1), ("go on", 0), ("go on", 0), ("read", 0)]
KILLED: list[Step] = [*KEPT, ("hold up", 0), ("write", 1), ("go on", 0), ("kill", 1), ("go on", 0), ("read", 0)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(steps=WRITTEN_ELSEWHERE)
@example(steps=PURGE_HELD_UP)
@example(steps=PURGE_LOST)
@example(steps=LATE_FILL)
@example(steps=LATE_READER)
@example(steps=LATE_JOIN)
@example(steps=PURGE_UNPUBLISHED)
@example(steps=KILLED)
@given(steps=steps)
def test_a_read_after_an_answered_write_never_gives_an_older_value(
    redis_server: tuple[str, int], steps: list[Step]
) -> None:
    assert play(redis_server, steps).violations == []


@pytest.mark.usefixtures("unhurried")
def test_what_was_read_once_is_kept(redis_server: tuple[str, int]) -> None:
    assert play(redis_server, [*KEPT, ("read", 0)]).hits >= 1


@pytest.mark.usefixtures("unhurried")
def test_the_world_above_notices_a_write_that_does_not_wait(
    redis_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def do_not_wait(*_: Any) -> None: ...

    monkeypatch.setattr(PurgeChannel, "_wait_for_acknowledgements", do_not_wait)

    assert play(redis_server, PURGE_HELD_UP).violations


def test_the_world_above_notices_a_gateway_that_trusts_a_channel_it_does_not_hear(
    redis_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PurgeChannel, "fresh", True)
    monkeypatch.setattr(cache_module, "SHORT_LIFETIME", 60)

    assert play(redis_server, PURGE_HELD_UP).violations


@pytest.mark.usefixtures("unhurried")
def test_the_world_above_notices_a_fill_that_is_kept_although_it_was_purged(
    redis_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openmusic_gateway.edge.entries.Entries.purged_since", lambda *_: False)

    assert play(redis_server, LATE_FILL).violations
    assert play(redis_server, LATE_READER).violations


def test_the_world_above_notices_a_fetch_that_is_joined_when_it_is_too_old(
    redis_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module._InFlightFetch, "is_joinable", lambda *_: True)
    monkeypatch.setattr(messages, "holds", lambda *_: ())  # the service is cut off from Redis

    assert play(redis_server, LATE_JOIN).violations


def test_the_world_above_notices_a_write_that_does_not_wait_out_what_it_cannot_purge(
    redis_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def do_not_wait(*_: Any) -> None: ...

    monkeypatch.setattr(PurgeChannel, "_sleep_until", do_not_wait)
    monkeypatch.setattr(cache_module, "SHORT_LIFETIME", 60)
    monkeypatch.setattr(messages, "holds", lambda *_: ())  # the service is cut off from Redis

    assert play(redis_server, PURGE_UNPUBLISHED).violations


nobody: Any = None


async def test_a_registry_that_has_just_begun_is_not_believed_to_know_everyone(
    redis_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis was restarted: a gateway may still be fresh without being registered."""
    waited: list[float] = []

    async def note(_: PurgeChannel, deadline: float) -> None:
        waited.append(deadline)

    monkeypatch.setattr(PurgeChannel, "_sleep_until", note)
    configuration = CacheSettings(redis_server=redis_server[0], redis_port=redis_server[1])
    redis = open_redis(configuration)
    await redis.delete(REGISTRY)
    channel = PurgeChannel(redis, open_redis(configuration, retries=0), nobody)

    await channel.purge([TAG], [])
    await redis.hset(REGISTRY, "since", 0)
    await channel.purge([TAG], [])

    assert len(waited) == 1
    await redis.aclose()


async def test_a_write_without_redis_waits_until_nothing_older_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def note(_: PurgeChannel, deadline: float) -> None:
        waited.append(deadline)

    monkeypatch.setattr(PurgeChannel, "_sleep_until", note)
    nowhere = CacheSettings(redis_server="127.0.0.1", redis_port=1)
    channel = PurgeChannel(open_redis(nowhere), open_redis(nowhere, retries=0), nobody, clock=lambda: 100.0)

    await channel.purge([TAG], [])

    assert waited == [100.0 + channel_module.MAX_WAIT]
