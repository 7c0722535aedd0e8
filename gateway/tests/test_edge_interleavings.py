"""The promise of the edge cache under the scheduler: gateways, Redis and services are slow, cut off or killed.

A read that begins after a write was answered never gives an older value; nor does one that begins a second after a
commit, whatever became of the write's answer: its service or its gateway may have been killed, and either may have been
cut off from Redis while the others were not. (If the service was both, it is two seconds: another replica may serve
what is in Redis for the first.) Each rule that this rests on is taken out once, and is then missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest

from openmusic_gateway.edge import channel as channel_module
from openmusic_gateway.edge.cache import EdgeCache, FetchedResponse
from openmusic_gateway.edge.channel import MAX_WAIT, REGISTRY, Listener, PurgeChannel
from openmusic_gateway.edge.entries import Entries, Key
from openmusic_gateway.edge.generations import Generation, Generations
from openmusic_gateway.edge.holds import Holds
from openmusic_kit.cache import generations as service_generations
from openmusic_kit.cache.fences import Fence, Fences
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.cache.leases import LeasedEntries
from openmusic_kit.cache.outages import RedisCalls
from openmusic_kit.edge import messages
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_testkit.interleavings import Crash, World, explore

KEY: Key = ("/thing", b"", "")
TAG = "thing:1"
GATEWAYS = 3
DEADLINE = 4.0  # seconds that a read may take; longer than any fetch
SLOWNESS = 0.02  # seconds that tasks which are ready may wait here for their turn, in sum
A_SECOND = 1.0  # after a commit by which every read gives it, whatever happened
IN_DOUBT = 0.3  # seconds that a commit may be on its way
LONGEST_CHANGE = 0.8  # seconds


class Broker:
    """Redis as far as the channel uses it: one command after the other, messages in order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.registry: dict[str, float] = {}
        self.subscribers: list[Subscription] = []

    def publish(self, channel: str, message: str) -> None:
        for subscriber in self.subscribers:
            if channel in subscriber.channels:
                subscriber.deliver(channel, message)

    def beat(self, gateway: str, lease: int, message: str) -> None:
        self.registry.setdefault("since", self.world.now * 1000)
        self.registry[gateway] = self.world.now * 1000 + lease
        self.publish(f"gateway:{gateway}", message)

    def purge(self, channel: str, message: str) -> list[Any]:
        now = self.world.now * 1000
        self.registry.setdefault("since", now)
        registered = dict(self.registry)
        for name, expires_at in registered.items():
            if name != "since" and expires_at <= now:
                del self.registry[name]
        self.publish(channel, message)
        flat = [part for name, value in registered.items() for part in (name.encode(), str(value).encode())]
        return [str(now).encode(), flat]


class Connection:
    """What one process has of Redis. While it is cut off, commands fail late; some were carried out all the same."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._world = broker.world
        self.commands_until = 0.0
        self.messages_until = 0.0
        """Until then each is cut off."""

    async def _command(self, carry_out: Callable[[], Any]) -> Any:
        await self._way()
        result = carry_out()
        await self._way()
        return result

    async def _way(self) -> None:
        await self._world.pause(0.0, 0.0, 0.001, 0.01)
        if self._world.now < self.commands_until:
            await self._world.pause(0.0, 0.3, 0.9)
            raise ConnectionError

    def register_script(self, text: str) -> Callable[..., Awaitable[Any]]:
        work: Callable[..., Any] = self._broker.beat if text == channel_module._HEARTBEAT else self._broker.purge
        return lambda keys, args: self._command(lambda: work(*args))  # noqa: ARG005 - there is one key

    async def publish(self, channel: str, message: str) -> None:
        await self._command(lambda: self._broker.publish(channel, message))

    async def hdel(self, name: str, gateway: str) -> None:
        assert name == REGISTRY
        await self._command(lambda: self._broker.registry.pop(gateway, None))

    async def aclose(self) -> None: ...

    def pubsub(self, **_: Any) -> "Subscription":
        return Subscription(self._broker, self)


class Subscription:
    def __init__(self, broker: Broker, connection: Connection) -> None:
        self._broker = broker
        self._connection = connection
        self._arriving: list[tuple[float, dict[str, bytes]]] = []
        self._news = asyncio.Event()
        self.broken = False
        self.channels: tuple[str, ...] = ()

    async def __aenter__(self) -> "Subscription":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self in self._broker.subscribers:
            self._broker.subscribers.remove(self)

    async def subscribe(self, *channels: str) -> None:
        await self._broker.world.pause()
        if self._broker.world.now < self._connection.messages_until:
            raise ConnectionError
        self.channels = channels
        self._broker.subscribers.append(self)

    def deliver(self, channel: str, message: str) -> None:
        world = self._broker.world
        arrival = world.now + world.dice.choice((0.0, 0.001, 0.02))
        if arrival < self._connection.messages_until:
            arrival = world.dice.uniform(arrival, self._connection.messages_until)
        if self._arriving:
            arrival = max(arrival, self._arriving[-1][0])
        self._arriving.append((arrival, {"channel": channel.encode(), "data": message.encode()}))
        self._news.set()

    def cut(self) -> None:
        """What is on its way is lost."""
        self.broken = True
        self._arriving.clear()
        self._news.set()

    async def get_message(self, timeout: float) -> dict[str, bytes] | None:  # noqa: ASYNC109 - as redis-py has it
        world = self._broker.world
        until = world.now + timeout
        while not self.broken:
            if self._arriving and self._arriving[0][0] <= world.now:
                return self._arriving.pop(0)[1]
            if world.now >= until:
                return None
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(until, self._arriving[0][0]) if self._arriving else until):
                    await self._news.wait()
        raise ConnectionError


class Entry(LeasedEntries):
    """The one entry in Redis; what is published with its fence is what matters here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fence(self, keys: Sequence[str], token: str, lifetime: float, messages: Sequence[str] = ()) -> None:  # noqa: ARG002
        await self._publish(messages)

    async def drop(self, keys: Sequence[str], token: str, hold_for: float, messages: Sequence[str] = ()) -> None:  # noqa: ARG002
        await self._publish(messages)

    async def _publish(self, published: Sequence[str]) -> None:
        def act() -> None:
            for message in published:
                self._connection._broker.publish(messages.CHANNEL, message)

        await self._connection._command(act)


class Installation:
    """A service whose value is the number of its last change, and the gateways in front of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broker = Broker(world)
        self.service = Connection(self.broker)
        self.gateways: list[Gateway] = []
        self.committed = 0
        self.known = 0
        """The newest value that no read which begins now may miss."""
        self.reads_from_edge = 0
        self._fences = Fences(Entry(self.service), RedisCalls(), "thing")
        self._generations = [(0.0, 0)]
        """The numbers, each with the time from which on it was there."""
        self._behind = (0, 0.0)
        """A replica that does not know the generation yet gives this value until then."""

    async def load(self) -> FetchedResponse:
        await self.world.pause(0.0, 0.001, 0.3)
        value, until = self._behind
        if self.world.now >= until or self.world.chance(0.5):
            value = self.committed
        await self.world.pause(0.0, 0.001, 0.5, 1.5)
        if self.world.chance(0.1):
            raise Crash
        return FetchedResponse([], str(value).encode(), (TAG,), announced=True)

    async def ask_for_generation(self, _: str) -> Generation:
        """A replica says what it found when it looked last."""
        await self.world.pause(0.0, 0.001, 0.1)
        looked_at = self.world.now - self.world.dice.choice((0.0, 0.2, 0.9))
        number = next(number for since, number in reversed(self._generations) if since <= looked_at)
        age = self.world.now - looked_at
        await self.world.pause(0.0, 0.001, 0.1)
        if self.world.chance(0.05):
            raise ConnectionError
        return Generation(number=number, age=age, longest_change=LONGEST_CHANGE)

    async def change(self, purge: Callable[[list[str], list[str]], Awaitable[None]]) -> int:
        """As a service makes it, which may be killed before or after the commit. Returns the value once purged."""
        fence = Fence(LONGEST_CHANGE, IN_DOUBT)
        await self._fences.extend(fence, [Invalidation(("1",), (TAG,))])
        await self.world.pause(0.0, 0.0, 0.001, 0.3, 0.6)
        if self.world.chance(0.05):
            raise Crash
        announced = fence.outlasts_doubt()
        if not announced and fence.registered:
            await self.world.pause(0.0, 0.1)
        mine = self._commit(announced=announced)
        fence.committed = True
        if self.world.chance(0.1):
            raise Crash
        if await self._fences.release(fence):
            self._behind = (0, 0.0)
        elif not announced:
            await asyncio.sleep(service_generations.LEASE + service_generations.MARGIN)
        await purge(fence.tags, [fence.token])
        return mine

    def _commit(self, *, announced: bool) -> int:
        if not announced:
            self._generations.append((self.world.now, len(self._generations)))
            self._behind = (self.committed, self.world.now + service_generations.LEASE)
        self.committed += 1
        mine = self.committed
        visible_in = A_SECOND if announced else A_SECOND + service_generations.LEASE
        asyncio.get_running_loop().call_later(visible_in, self.learn, mine)
        return mine

    def learn(self, value: int) -> None:
        self.known = max(self.known, value)

    async def change_without_a_gateway(self) -> None:
        with suppress(Crash):
            await self.change(PurgePublisher(self.service).publish)  # type: ignore[arg-type]  # a fake

    def cut_off_service(self) -> None:
        self.service.commands_until = self.world.now + self.world.dice.choice((0.1, 0.6, 1.5))


class Gateway:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._world = installation.world
        self.connection = Connection(installation.broker)
        self._process = AsyncExitStack()
        self.cache: EdgeCache

    async def start(self) -> None:
        def channel(listener: Listener) -> PurgeChannel:
            redis: Any = self.connection
            return PurgeChannel(redis, redis, listener, clock=lambda: self._world.now)

        def generations(on_change: Callable[[], None]) -> Generations:
            return Generations(("thing",), self._installation.ask_for_generation, on_change, lambda: self._world.now)

        self.cache = EdgeCache(1_000_000, channel, generations)
        self.cache._generations.want()
        await self._process.enter_async_context(self.cache.running())

    async def stop(self) -> None:
        await self._process.aclose()

    async def restart(self) -> None:
        if self._world.chance(0.5):  # killed: it does not say that it leaves
            self.connection.commands_until = self._world.now + 0.01
        await self.stop()
        await self.start()

    async def read(self) -> None:
        known = self._installation.known
        deadline = self._world.now + DEADLINE
        cache = self.cache
        try:
            entry = cache.get(KEY) or await cache.join(KEY, deadline)
            answer = entry or await cache.fetch(KEY, self._installation.load)
        except Crash:
            return
        self._installation.reads_from_edge += entry is not None
        assert answer is not None
        assert int(answer.body) >= known, f"{answer.body!r} was read after {known} was known"

    async def write(self) -> None:
        await self._world.pause(0.0, 0.1)
        cache = self.cache

        async def purge(tags: list[str], lifted: list[str]) -> None:
            await self._world.pause(0.0, 0.001)
            if self._world.chance(0.1):
                raise Crash  # it was killed between the commit and the purge, or the answer was lost
            await self._world.within(MAX_WAIT + SLOWNESS, cache.purge(tags, lifted))

        with suppress(Crash):
            self._installation.learn(await self._installation.change(purge))

    async def cut_off(self) -> None:
        """From Redis: its commands, or its messages, or both. Messages are lost, or come late."""
        until = self._world.now + self._world.dice.choice((0.1, 0.6, 1.5))
        kind = self._world.dice.choice(("commands", "messages", "both"))
        if kind != "messages":
            self.connection.commands_until = until
        if kind != "commands":
            self.connection.messages_until = until
            for subscription in list(self._installation.broker.subscribers):
                if subscription._connection is self.connection and self._world.chance(0.5):
                    subscription.cut()


ACTIONS = [*["read"] * 8, *["write"] * 3, "cut off", "cut off", "restart", "change", "cut off service"]


async def gateways_at_work(world: World) -> None:
    installation = Installation(world)
    if world.chance(0.7):
        installation.broker.registry["since"] = 0  # else Redis was started a moment ago
    for _ in range(GATEWAYS):
        gateway = Gateway(installation)
        await gateway.start()
        installation.gateways.append(gateway)
    await world.pause(0.05, 0.5)
    try:
        await world.all(installation_at_work(world, installation) for _ in range(4))
    finally:
        for gateway in installation.gateways:
            await gateway.stop()


async def installation_at_work(world: World, installation: Installation) -> None:
    for _ in range(10):
        gateway = world.dice.choice(installation.gateways)
        action = world.dice.choice(ACTIONS)
        if action == "read":
            await world.cancelled_sometime(world_within_deadline(world, gateway), 0.0, 0.2, probability=0.1)
        elif action == "write":
            await gateway.write()
        elif action == "cut off":
            await gateway.cut_off()
        elif action == "cut off service":
            installation.cut_off_service()
        elif action == "change":
            await installation.change_without_a_gateway()
        elif world.chance(0.3):
            await gateway.restart()
        await world.pause(0.0, 0.0, 0.05, 0.3)


async def world_within_deadline(world: World, gateway: Gateway) -> None:
    await world.within(DEADLINE + SLOWNESS, gateway.read())


def test_no_read_gives_a_value_older_than_what_was_known_when_it_began() -> None:
    explore("edge cache and purge channel", gateways_at_work)


async def _at_once(*_: Any) -> None: ...


def _always(value: float) -> property:
    return property(lambda _: value, lambda *_: None)


def _only_renew(generations: Generations, known: Any, generation: Generation, began: float) -> None:
    known.number = generation.number
    generations.settled_since = min(generations.settled_since, generations._clock())
    known.longest_change = generation.longest_change
    known.good_until = began + 1.0


RULES: dict[str, tuple[Any, str, Any]] = {
    "purges are published": (PurgeChannel, "purge", _at_once),
    "a write waits for acknowledgements": (PurgeChannel, "_wait_for_acknowledgements", _at_once),
    "a write waits while Redis is away": (PurgeChannel, "_sleep_until", _at_once),
    "a gateway that is cut off falls silent": (PurgeChannel, "fresh", True),
    "a fill that raced with a purge is dropped": (Entries, "purged_since", lambda *_: False),
    "the purge of a gateway's own write is taken at once": (Entries, "purge", lambda *_: None),
    "a change is announced before it commits": (messages, "holds", lambda *_: ()),
    "what is fetched under a hold is kept for a moment": (Holds, "cover", lambda *_: False),
    "a change that could not be announced moves the generation": (Fence, "outlasts_doubt", lambda _: True),
    "a generation that moved outdates everything": (Generations, "_learn", _only_renew),
    "a replica may be behind the generation": (Generations, "settled_since", _always(0.0)),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_missed_when_it_is_taken_out(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*RULES[rule], raising=False)

    with pytest.raises(AssertionError, match="was known"):
        explore(rule, gateways_at_work, 2_000)
