"""What waits and wakes between the outbox and RabbitMQ, under a scheduler that a seed decides."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from aio_pika.exceptions import DeliveryError

from openmusic_kit import outbox, tasks
from openmusic_kit.consumer import Consumer, Rejected, Subscription
from openmusic_kit.errors import Unavailable
from openmusic_kit.outbox import BACKOFF, HOLD, POLL_INTERVAL, OutboxRelay
from openmusic_kit.topology import Queue, RetrySchedule
from openmusic_testkit.interleavings import World, explore

ANSWER = 0.01
"""Seconds that a fake takes for an answer at most."""


SMALL_BATCH = 3


@dataclass
class FakeDatabase:
    """A table of events, whose rows are locked, deleted and committed as the relay's two statements want it."""

    world: World
    rows: dict[int, str] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)
    conninfo: str = ""
    failing: float = 0.0
    notified: list[Callable[[], object]] = field(default_factory=list)
    added: int = 0

    def add(self, routing_key: str, *, notify: bool = True) -> int:
        self.added += 1
        self.rows[self.added] = routing_key
        if notify:
            for wake in self.notified:
                wake()
        return self.added

    async def listen_for_ever(self, _conninfo: str, _channel: str, notified: Callable[[], object]) -> None:
        await self.world.pause()
        self.notified.append(notified)
        notified()
        await asyncio.Event().wait()

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
        stack.enter_context(mock.patch.object(outbox, "listen_for_ever", database.listen_for_ever))
        for _ in range(relays):
            relay = OutboxRelay(database, broker)  # type: ignore[arg-type]  # fakes
            await stack.enter_async_context(relay.running())
        yield


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def test_a_recorded_event_is_published_at_once_whatever_the_relay_is_doing() -> None:
    """The notification may come between the look into the table and the wait for the next one."""

    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world)
        async with relaying(database, broker, relays=world.dice.choice((1, 2))):
            await until(lambda: bool(database.notified))
            for _ in range(3):
                await world.pause(0, 0.001, 0.002, 0.005, 0.5, POLL_INTERVAL)
                position = database.add(world.dice.choice(("a.v1", "b.v1")))
                await world.within(0.1, until(lambda position=position: position not in database.rows))
        assert sorted(set(broker.published)) == [1, 2, 3]

    explore("outbox relay: wake-ups", scenario)


def test_what_no_notification_told_of_is_found_within_the_poll_interval() -> None:
    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world)
        async with relaying(database, broker):
            await world.pause(0, 0.3, 2)
            database.add("a.v1", notify=False)
            await world.within(POLL_INTERVAL + 0.1, until(lambda: not database.rows))

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
            await world.within(max(BACKOFF) + 0.2, until(lambda: not database.rows))
        assert set(broker.published) == {1, 2, 3, 4, 5}

    explore("outbox relay: failures", scenario)


def test_events_of_a_kind_that_no_queue_takes_wait_alone() -> None:
    """They are more than a batch, and in front."""

    async def scenario(world: World) -> None:
        database, broker = FakeDatabase(world), FakeBroker(world, queues={"b.v1"})
        for _ in range(SMALL_BATCH + 1):
            database.add("a.v1")
        with mock.patch.object(outbox, "BATCH", SMALL_BATCH):
            await watch(database, broker, world)

    async def watch(database: FakeDatabase, broker: FakeBroker, world: World) -> None:
        async with relaying(database, broker):
            database.add("b.v1")
            await world.within(0.5, until(lambda: "b.v1" not in database.rows.values()))
            await world.pause(0, 0.1, HOLD, 10 * HOLD)
            assert len(database.rows) == SMALL_BATCH + 1
            broker.queues.add("a.v1")
            await world.within(HOLD + POLL_INTERVAL + 0.2, until(lambda: not database.rows))

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
            began = world.now
        assert all(later - earlier > HOLD - 0.001 for earlier, later in itertools.pairwise(tried))
        assert len(tried) >= 1 + int((began - tried[0]) / (HOLD + POLL_INTERVAL))

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

        await world.within(5 + 1, run())
        assert not database.locked
        if not database.failing:
            assert set(database.rows) == {1, 2, 3} - set(broker.published), "what was confirmed is not sent again"

    explore("outbox relay: stop", scenario)


@dataclass
class FakeMessage:
    """Of the library: settled once, or lost on the way when the connection was."""

    world: World
    body: bytes
    failing: float = 0.0
    headers: dict[str, Any] = field(default_factory=dict)
    message_id: str = "1"
    settled: list[str] = field(default_factory=list)

    async def ack(self) -> None:
        await self._settle("ack")

    async def nack(self, *, requeue: bool) -> None:
        await self._settle("requeue" if requeue else "discard")

    async def _settle(self, how: str) -> None:
        await self.world.answer(None, failing=self.failing)
        self.settled.append(how)


QUEUE = Queue("q", ("thing.moved.v1",), RetrySchedule((1, 2), 10))
EVENT = (
    b'{"id": "1", "type": "thing.moved", "version": 1, "aggregateId": "t", "sequence": 1,'
    b' "time": "2026-01-01T00:00:00Z", "data": {}}'
)


def test_a_message_is_acknowledged_only_when_it_is_done_or_safe_elsewhere() -> None:
    async def scenario(world: World) -> None:
        done, moved, failing = [], [], world.dice.choice((0.0, 0.5))

        async def handle(_: object) -> None:
            await world.answer(None, failing=0.3, error=world.dice.choice((Rejected("no"), ConnectionError())))
            done.append(1)

        async def send(_body: bytes, *, queue: str, **_: object) -> None:
            await world.answer(None, failing=failing)
            moved.append(queue)

        consumer = Consumer(Subscription(QUEUE, handle), send)
        message = FakeMessage(world, EVENT, failing=world.dice.choice((0.0, 0.3)))
        await world.cancelled_sometime(consumer.consume(message))  # type: ignore[arg-type]  # a fake
        if world.chance(0.3):
            await world.within(1.1, consumer.abandon())
        await world.within(5, until(lambda: not consumer._in_flight))

        assert len(message.settled) <= 1
        if message.settled == ["ack"]:
            assert done or moved
        assert "discard" not in message.settled
        assert set(moved) <= {"q.dead", "q.retry.1000"}

    explore("consumer: settles", scenario)


def test_a_handler_goes_on_when_whoever_called_it_is_cancelled() -> None:
    async def scenario(world: World) -> None:
        begun, finished = asyncio.Event(), []

        async def handle(_: object) -> None:
            begun.set()
            await world.pause(0, 0.01, 1)
            finished.append(1)

        async def send(*_: object, **__: object) -> None:
            raise AssertionError("nothing failed")

        consumer = Consumer(Subscription(QUEUE, handle), send)
        message = FakeMessage(world, EVENT)
        calling = asyncio.create_task(consumer.consume(message))  # type: ignore[arg-type]  # a fake
        await begun.wait()
        calling.cancel()
        await world.within(5, until(lambda: not consumer._in_flight))
        assert (finished, message.settled) == ([1], ["ack"])

    explore("consumer: calls cancelled", scenario)


def test_abandoned_handlers_leave_their_messages_unsettled_and_end() -> None:
    async def scenario(world: World) -> None:
        async def handle(_: object) -> None:
            await asyncio.Event().wait()

        async def send(*_: object, **__: object) -> None:
            raise AssertionError("to be stopped is no failure")

        consumer = Consumer(Subscription(QUEUE, handle), send)
        messages = [FakeMessage(world, EVENT) for _ in range(3)]
        calls = [asyncio.ensure_future(consumer.consume(each)) for each in messages]  # type: ignore[arg-type]
        await until(lambda: len(consumer._in_flight) == 3)
        await world.within(1.1, consumer.abandon())
        await asyncio.wait(calls)
        assert [each.settled for each in messages] == [[], [], []]
        assert all(task.done() for task in consumer._in_flight)

    explore("consumer: abandoned", scenario)


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
        await world.within(3 * tasks.PATIENCE + 0.1, tasks.stop(*running))
        assert all(each.done() for each in running)

    explore("tasks: stop", scenario)
