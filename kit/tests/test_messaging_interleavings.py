"""What waits and wakes between the outbox and RabbitMQ, under a scheduler that a seed decides."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from aio_pika.exceptions import DeliveryError

from openmusic_kit import tasks
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging import relay
from openmusic_kit.messaging.batching import Batcher
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.relay import OutboxRelay
from openmusic_testkit.interleavings import Crash, World, explore

SMALL_BATCH = 3


@dataclass
class FakeDatabase:
    """A table of events, whose rows are locked, deleted and committed as the relay's two statements want it."""

    world: World
    rows: dict[int, str] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)
    failing: float = 0.0
    events_stored: asyncio.Event = field(default_factory=asyncio.Event)
    added: int = 0

    def add(self, routing_key: str, *, wake: bool = True) -> int:
        self.added += 1
        self.rows[self.added] = routing_key
        if wake:
            self.events_stored.set()
        return self.added

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator["FakeTransaction"]:
        transaction = FakeTransaction(self)
        try:
            yield transaction
        finally:
            self.locked -= transaction.mine


class FakeTransaction:
    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.mine: set[int] = set()
        self._deleted: list[int] = []
        self._found: list[dict[str, Any]] = []

    @property
    def connection(self) -> "FakeTransaction":
        return self

    async def execute(self, statement: str, values: dict[str, Any]) -> "FakeTransaction":
        database = self._database
        await database.world.answer(None, failing=database.failing, error=Unavailable("no database"))
        if "DELETE" in statement:
            self._deleted = values["confirmed"]
            return self
        free = [
            position
            for position, key in sorted(database.rows.items())
            if position not in database.locked and key not in values["held"]
        ][: values["batch"]]
        self.mine.update(free)
        database.locked.update(free)
        self._found = [
            {"position": each, "event_id": str(each), "routing_key": database.rows[each], "body": b""} for each in free
        ]
        return self

    async def fetchall(self) -> list[dict[str, Any]]:
        return self._found

    async def commit(self) -> None:
        await self._database.world.answer(None, failing=self._database.failing, error=Unavailable("no database"))
        for position in self._deleted:
            self._database.rows.pop(position, None)


class Returned(DeliveryError):
    def __init__(self) -> None:
        """Without the frames that the library keeps in it."""

    def __repr__(self) -> str:
        return "Returned"


@dataclass
class FakeBroker:
    world: World
    queues: set[str] = field(default_factory=lambda: {"a.v1", "b.v1"})
    connected: bool = True
    failing: float = 0.0
    published: list[int] = field(default_factory=list)

    async def publish(self, _body: bytes, *, routing_key: str, message_id: str) -> None:
        await self.world.answer(None, failing=self.failing, error=Unavailable("no broker"))
        if not self.connected:
            raise Unavailable("no broker")
        if routing_key not in self.queues:
            raise Returned
        self.published.append(int(message_id))


@asynccontextmanager
async def relaying(database: FakeDatabase, broker: FakeBroker, relays: int = 1) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(relays):
            each = OutboxRelay(database, broker)  # type: ignore[arg-type]  # fakes
            await stack.enter_async_context(each.running())
        yield


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def test_a_recorded_event_is_published_at_once_whatever_the_relay_is_doing() -> None:
    """It may be stored between the look into the table and the wait for the next one."""

    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world)
        async with relaying(database, broker, relays=world.dice.choice((1, 2))):
            for _ in range(3):
                await world.pause(0, 0.5, 1)
                for _ in range(3):
                    database.add(world.dice.choice(("a.v1", "b.v1")))
                    await world.pause(0, 0.001, 0.002, 0.003)
                await world.within(0.1, until(lambda: not database.rows))
        assert set(broker.published) == set(range(1, 10))

    explore("outbox relay: wake-ups", scenario)


def test_an_event_of_another_process_is_found_within_the_poll_interval() -> None:
    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world)
        async with relaying(database, broker):
            await world.pause(0, 0.3, 2)
            database.add("a.v1", wake=False)
            await world.within(1.1, until(lambda: not database.rows))

    explore("outbox relay: polls", scenario)


def test_events_are_published_soon_after_broker_and_database_are_back() -> None:
    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world, failing=0.3), FakeBroker(world, failing=0.3)
        async with relaying(database, broker):
            for _ in range(5):
                await world.pause(0, 0.001, 0.5)
                broker.connected = world.chance(0.5)
                database.add("a.v1")
            await world.pause(0, 1, 60)
            database.failing, broker.failing, broker.connected = 0, 0, True
            await world.within(2.2, until(lambda: not database.rows))
        assert set(broker.published) == {1, 2, 3, 4, 5}

    explore("outbox relay: failures", scenario)


def test_events_of_a_kind_that_no_queue_takes_wait_alone() -> None:
    """They are more than a batch, and in front."""

    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world, queues={"b.v1"})
        for _ in range(SMALL_BATCH + 1):
            database.add("a.v1")
        with mock.patch.object(relay, "BATCH", SMALL_BATCH):
            await watch(database, broker, world)

    async def watch(database: FakeDatabase, broker: FakeBroker, world: World) -> None:
        async with relaying(database, broker):
            database.add("b.v1")
            await world.within(0.5, until(lambda: "b.v1" not in database.rows.values()))
            await world.pause(0, 0.1, 2, 20)
            assert len(database.rows) == SMALL_BATCH + 1
            broker.queues.add("a.v1")
            await world.within(3.2, until(lambda: not database.rows))

    explore("outbox relay: unwanted events", scenario)


def test_a_kind_that_no_queue_takes_is_tried_no_more_often_than_its_hold() -> None:
    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world, queues={"b.v1"})
        tried: list[float] = []
        publish = broker.publish

        async def noted(body: bytes, *, routing_key: str, message_id: str) -> None:
            if routing_key == "a.v1":
                tried.append(world.now)
            await publish(body, routing_key=routing_key, message_id=message_id)

        broker.publish = noted  # type: ignore[method-assign]
        database.add("a.v1")
        async with relaying(database, broker):
            for _ in range(20):
                await world.pause(0.1, 0.5)
                database.add("b.v1")
        assert all(1.999 < later - earlier < 2.6 for earlier, later in itertools.pairwise(tried))

    explore("outbox relay: holds", scenario)


def test_a_relay_that_is_told_to_stop_finishes_its_batch_and_ends() -> None:
    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world, failing=world.dice.choice((0, 0.5))), FakeBroker(world)
        broker.connected = world.chance(0.8)
        for _ in range(3):
            database.add("a.v1")

        async def run() -> None:
            async with relaying(database, broker):
                await world.pause(0, 0.001, 0.002, 0.003, 5)
                told.append(world.now)

        told: list[float] = []
        await world.within(6, run())
        assert world.now - told[0] < 0.1, "it waits for nothing but the batch in hand"
        assert not database.locked
        if not database.failing:
            assert set(database.rows) == {1, 2, 3} - set(broker.published), "what was confirmed is not sent again"

    explore("outbox relay: stop", scenario)


def test_stopping_ends_tasks_that_swallow_a_cancellation_or_fail() -> None:
    async def scenario(world: World) -> None:
        async def stubborn() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await world.pause(0, 0.5, 3)
            await asyncio.Event().wait()

        async def failing() -> None:
            await world.answer(None, 0, 1, failing=1)

        async def ended() -> None:
            await world.pause()

        running = [asyncio.ensure_future(each()) for each in (stubborn, failing, ended)]
        await world.pause()
        await world.within(3.1, tasks.stop(*running))
        assert all(each.done() for each in running)

    explore("tasks: stop", scenario)


def test_failures_in_a_row_delay_the_next_try_ever_longer() -> None:
    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world, connected=False)
        tried: list[float] = []

        async def fail_but_for_the_fourth() -> bool:
            tried.append(round(world.now, 6))
            if len(tried) == 4:
                return False
            raise Unavailable("no broker")

        with mock.patch.object(OutboxRelay, "_publish_batch", lambda _: fail_but_for_the_fourth()):
            async with relaying(database, broker):
                await world.pause(10)
        pauses = [round(later - earlier, 6) for earlier, later in itertools.pairwise(tried)]
        assert pauses[:3] == [0.1, 0.2, 0.5]
        assert pauses[3] <= 1, "the poll, or what woke it meanwhile"
        assert pauses[4:9] == [0.1, 0.2, 0.5, 1, 2]
        assert set(pauses[9:]) <= {2}

    explore("outbox relay: backoff", scenario, 20)


def test_a_broker_that_takes_nothing_is_not_asked_without_a_pause() -> None:
    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world, failing=1)
        tried: list[int] = []
        publish = broker.publish

        async def noted(body: bytes, *, routing_key: str, message_id: str) -> None:
            tried.append(int(message_id))
            await publish(body, routing_key=routing_key, message_id=message_id)

        broker.publish = noted  # type: ignore[method-assign]
        for _ in range(SMALL_BATCH):
            database.add("a.v1")
        with mock.patch.object(relay, "BATCH", SMALL_BATCH):
            async with relaying(database, broker):
                await world.pause(8)
        assert SMALL_BATCH * 6 <= len(tried) <= SMALL_BATCH * 9

    explore("outbox relay: nothing taken", scenario)


def test_what_is_missing_at_the_broker_is_put_into_its_place_whenever_it_shows() -> None:
    """It may show while the last repair is just ending, or failing."""

    async def scenario(world: World) -> None:
        broker = Broker("amqp://nowhere")
        begun: list[float] = []

        async def complete() -> None:
            begun.append(world.now)
            await world.answer(None, failing=0.3)

        async def stop() -> None:
            pass

        with mock.patch.multiple(broker, _complete=complete, _stop=stop):
            async with broker.running():
                for _ in range(3):
                    await world.pause(0, 0.001, 0.5, 0.501, 15)
                    shown = world.now
                    broker._topology_dirty.set()
                    await until(lambda shown=shown: bool(begun) and begun[-1] >= shown)
                    assert world.now - shown < 3, "it is done at once, or after a few tries half a second apart"
        assert all(later - earlier < 15.1 for earlier, later in itertools.pairwise(begun))

    explore("broker: kept complete", scenario)


def test_queues_are_looked_after_even_when_nothing_shows() -> None:
    async def scenario(world: World) -> None:
        broker = Broker("amqp://nowhere")
        begun: list[float] = []
        failures = world.dice.choice((0, 2))

        async def complete() -> None:
            begun.append(world.now)
            if len(begun) <= failures:
                raise Unavailable("not yet")

        async def stop() -> None:
            pass

        with mock.patch.multiple(broker, _complete=complete, _stop=stop):
            async with broker.running():
                await world.pause(40)
        pauses = [round(later - earlier, 6) for earlier, later in itertools.pairwise(begun)]
        assert pauses == [0.5] * failures + [15, 15]

    explore("broker: looks after its queues", scenario, 20)


def test_items_that_wait_are_applied_together_and_none_is_lost_when_a_batch_fails() -> None:
    async def scenario(world: World) -> None:
        applied: Counter[int] = Counter()
        batches: list[int] = []
        failing, at_once = world.dice.choice((0, 0.3)), 0

        async def apply_all(items: Sequence[int]) -> None:
            nonlocal at_once
            at_once += 1
            assert at_once == 1
            try:
                await world.answer(None, failing=failing)
            finally:
                at_once -= 1
            batches.append(len(items))
            applied.update(items)

        async def apply_alone(item: int) -> None:
            await world.answer(None, failing=failing)
            applied[item] += 1

        async def arrive(item: int) -> None:
            await world.pause(0, 0.001, 0.002)
            try:
                await batcher.apply(item, partial(apply_alone, item))
            except Crash:
                assert failing
            else:
                assert applied[item], "it returned"

        batcher = Batcher(apply_all)
        cancelling = world.chance(0.3)
        await world.within(
            5,
            asyncio.gather(
                *(world.cancelled_sometime(arrive(each)) if cancelling else arrive(each) for each in range(12))
            ),
        )
        assert all(size > 1 for size in batches)
        if not failing and not cancelling:
            assert applied == Counter(range(12))

    explore("batches", scenario)


def test_what_arrives_while_others_are_applied_is_the_next_batch() -> None:
    async def scenario(world: World) -> None:
        batches: list[list[int]] = []

        async def apply_all(items: Sequence[int]) -> None:
            batches.append(sorted(items))
            await asyncio.sleep(1)

        async def apply_alone(item: int) -> None:
            await apply_all([item])

        async def arrive(item: int) -> None:
            await asyncio.sleep(item / 4)
            await batcher.apply(item, partial(apply_alone, item))

        batcher = Batcher(apply_all)
        await world.within(3.3, asyncio.gather(*map(arrive, (0, 1, 2, 3, 5, 6))))
        assert batches == [[0], [1, 2, 3], [5, 6]]

    explore("batches: the next one", scenario, 50)
