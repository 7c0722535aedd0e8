"""What becomes of one message, under a scheduler that a seed decides and with its clock."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from openmusic_kit.messaging.consumer import MAX_BODY, Consumer, Handler, UnprocessableMessage
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.subscription import Subscription
from openmusic_kit.messaging.topology import Queue, RetrySchedule
from openmusic_testkit.interleavings import EPOCH, World, explore, replay


@dataclass
class FakeMessage:
    """Of the library: settled once, or lost on the way when the connection was."""

    world: World
    body: bytes
    failing: float = 0.0
    headers: dict[str, Any] = field(default_factory=dict)
    message_id: str = "1"
    settled: list[str] = field(default_factory=list)
    pause: bool = True
    redelivered: bool = False

    @property
    def raw_message(self) -> "FakeMessage":
        return self

    async def ack(self) -> None:
        await self._settle("ack")

    async def nack(self, *, requeue: bool) -> None:
        await self._settle("requeue" if requeue else "discard")

    async def _settle(self, how: str) -> None:
        if self.pause:
            await self.world.answer(None, failing=self.failing)
        self.settled.append(how)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


QUEUE = Queue("q", ("thing.moved.v1",), RetrySchedule((1, 2), 10))
EVENT = (
    b'{"id": "1", "type": "thing.moved", "version": 1, "aggregateId": "t", "sequence": 1,'
    b' "time": "2026-01-01T00:00:00Z", "data": {}}'
)


def test_a_message_is_acknowledged_only_when_it_is_done_or_safe_elsewhere() -> None:
    async def scenario(world: World) -> None:
        done, moved, failing = [], [], world.dice.choice((0.0, 0.5))

        async def handle(_: object) -> None:
            await world.answer(
                None, failing=0.3, error=world.dice.choice((UnprocessableMessage("no"), ConnectionError()))
            )
            done.append(1)

        async def send(_body: bytes, *, queue: str, **_: object) -> None:
            await world.answer(None, failing=failing)
            moved.append(queue)

        consumer = Consumer(QUEUE, handle, send)
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

        consumer = Consumer(QUEUE, handle, send)
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

        consumer = Consumer(QUEUE, handle, send)
        messages = [FakeMessage(world, EVENT) for _ in range(3)]
        calls = [asyncio.ensure_future(consumer.consume(each)) for each in messages]  # type: ignore[arg-type]
        await until(lambda: len(consumer._in_flight) == 3)
        await world.within(1.1, consumer.abandon())
        await asyncio.wait(calls)
        assert [each.settled for each in messages] == [[], [], []]
        assert all(task.done() for task in consumer._in_flight)

    explore("consumer: abandoned", scenario)


@dataclass
class Sent:
    """What was moved to other queues."""

    queue: str
    headers: dict[str, Any]
    body: bytes
    message_id: str


def consumer_of(handle: Handler, sent: list[Sent], queue: Queue = QUEUE) -> Consumer:
    async def send(body: bytes, *, queue: str, message_id: str, headers: dict[str, Any]) -> None:
        sent.append(Sent(queue, headers, body, message_id))

    return Consumer(queue, handle, send)


async def refuse(_: object) -> None:
    raise ConnectionError("not today")


def once(scenario: Callable[[World], Any]) -> None:
    """Where there is one order only, it is the clock that is wanted."""
    replay(scenario, seed=0)


def test_a_message_that_always_fails_follows_the_schedule_until_it_is_given_up() -> None:
    queue = Queue("q", ("thing.moved.v1",))

    async def scenario(world: World) -> None:
        sent: list[Sent] = []
        consumer = consumer_of(refuse, sent, queue)
        headers: dict[str, Any] = {}
        began = int(EPOCH + world.now) * 1000
        while not sent or sent[-1].queue != "q.dead":
            message = FakeMessage(world, EVENT, headers=headers)
            await consumer.consume(message)  # type: ignore[arg-type]  # a fake
            assert message.settled == ["ack"]
            headers = sent[-1].headers
            await world.pause(int(sent[-1].queue.removeprefix("q.retry.")) / 1000 if "retry" in sent[-1].queue else 0)

        minutes = 24 * 60
        assert [each.queue.removeprefix("q.retry.") for each in sent[:7]] == [
            *("1000", "2000", "5000", "15000", "30000"),
            *("60000", "60000"),
        ]
        assert minutes <= len(sent) <= minutes + 6, "the last of them after a day"
        assert [each.headers["x-attempt"] for each in sent[:-1]] == list(range(1, len(sent)))
        assert sent[-1].headers["x-attempt"] == len(sent) - 1
        assert all(abs(each.headers["x-first-failure"] - began) <= 1000 for each in sent)
        assert sent[-1].headers["x-died"] - began == pytest.approx(86_400_000, abs=61_000)
        assert {(each.body, each.message_id) for each in sent} == {(EVENT, "1")}
        assert all("not today" in each.headers["x-reason"] for each in sent)
        assert "x-died" not in sent[-2].headers

    once(scenario)


@pytest.mark.parametrize(("ago", "target"), [(9.9, "q.retry.2000"), (10.0, "q.dead"), (-5.0, "q.retry.2000")])
def test_a_message_is_given_up_when_its_first_failure_is_so_long_ago(ago: float, target: str) -> None:
    """The clock of the worker that noted it may be five seconds ahead."""

    async def scenario(world: World) -> None:
        sent: list[Sent] = []
        first = int((EPOCH + world.now - ago) * 1000)
        message = FakeMessage(world, EVENT, headers={"x-attempt": 4, "x-first-failure": first})
        consumer = consumer_of(refuse, sent)
        message.pause = False
        await consumer.consume(message)  # type: ignore[arg-type]  # a fake
        assert (sent[0].queue, sent[0].headers["x-first-failure"]) == (target, first)
        assert sent[0].headers["x-attempt"] == (4 if target == "q.dead" else 5)

    once(scenario)


@pytest.mark.parametrize(
    "strange",
    [
        {"x-attempt": "4", "x-first-failure": "long ago"},
        {"x-attempt": None, "x-first-failure": True},
        {"x-first-failure": 1},
        {"x-first-failure": 0.5},
        {},
    ],
)
def test_headers_of_a_stranger_begin_the_schedule_at_its_beginning(strange: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        sent: list[Sent] = []
        now = int((EPOCH + world.now) * 1000)
        await consumer_of(refuse, sent).consume(FakeMessage(world, EVENT, headers=strange))  # type: ignore[arg-type]
        assert (sent[0].queue, sent[0].headers["x-attempt"]) == ("q.retry.1000", 1)
        assert abs(sent[0].headers["x-first-failure"] - now) < 100

    once(scenario)


@pytest.mark.parametrize(("size", "dead"), [(MAX_BODY, False), (MAX_BODY + 1, True)])
def test_a_body_may_have_64_kib_and_no_byte_more(size: int, dead: bool) -> None:
    async def scenario(world: World) -> None:
        handled: list[object] = []
        sent: list[Sent] = []

        async def handle(envelope: object) -> None:
            handled.append(envelope)

        body = EVENT + b" " * (size - len(EVENT))
        message = FakeMessage(world, body)
        await consumer_of(handle, sent).consume(message)  # type: ignore[arg-type]  # a fake
        assert bool(handled) is not dead
        assert [each.queue for each in sent] == (["q.dead"] if dead else [])
        assert message.settled == ["ack"]

    assert MAX_BODY == 64 * 1024
    once(scenario)


def test_a_long_reason_is_cut_to_a_thousand_characters() -> None:
    async def scenario(world: World) -> None:
        sent: list[Sent] = []

        async def handle(_: object) -> None:
            raise UnprocessableMessage("x" * 5000)

        await consumer_of(handle, sent).consume(FakeMessage(world, EVENT))  # type: ignore[arg-type]  # a fake
        assert sent[0].headers["x-reason"] == "x" * 1000

    once(scenario)


def test_a_message_that_cannot_be_moved_goes_back_to_its_queue_half_a_second_later() -> None:
    async def scenario(world: World) -> None:
        async def send(*_: object, **__: object) -> None:
            raise ConnectionError

        message = FakeMessage(world, EVENT, pause=False)
        began = world.now
        await Consumer(QUEUE, refuse, send).consume(message)  # type: ignore[arg-type]  # a fake
        assert message.settled == ["requeue"]
        assert world.now - began == pytest.approx(0.5)

    once(scenario)


def test_a_subscription_handles_twenty_at_once_unless_it_says_otherwise() -> None:
    assert Subscription[None]("q", {}).prefetch == 20


class ThingMoved(EventData):
    event_type: ClassVar[str] = "thing.moved"
    event_version: ClassVar[int] = 1
    to: str


class ThingBroken(EventData):
    event_type: ClassVar[str] = "thing.broken"
    event_version: ClassVar[int] = 2


async def note_move(seen: list[str], event: ThingMoved, envelope: Envelope) -> None:
    seen.append(f"{envelope.aggregate_id} to {event.to}")


async def note_break(seen: list[str], _: ThingBroken, envelope: Envelope) -> None:
    seen.append(f"{envelope.aggregate_id} broken")


async def test_events_that_wait_together_are_handled_together() -> None:
    go_on = asyncio.Event()

    async def note_move_later(seen: list[str], event: ThingMoved, envelope: Envelope) -> None:
        await go_on.wait()
        await note_move(seen, event, envelope)

    async def note_moves(seen: list[str], events: Sequence[tuple[ThingMoved, Envelope]]) -> None:
        seen.append(" and ".join(event.to for event, _ in events))

    subscription = Subscription[list[str]](
        "q", {ThingMoved: note_move_later, ThingBroken: note_break}, batch_handlers={ThingMoved: note_moves}
    )
    seen: list[str] = []
    handle = subscription.bind(seen)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(handle(Envelope.of(ThingMoved(to=name), name, 1)))  # type: ignore[arg-type]  # a coroutine
        await asyncio.sleep(0)
        await handle(Envelope.of(ThingBroken(), "d", 1))
        go_on.set()
    assert seen == ["d broken", "a to a", "b and c"]


async def test_a_subscription_hands_each_event_to_its_handler_as_its_own_model() -> None:
    subscription = Subscription[list[str]]("q", {ThingMoved: note_move, ThingBroken: note_break})
    assert subscription.queue == Queue("q", ("thing.moved.v1", "thing.broken.v2"))
    seen: list[str] = []
    handle = subscription.bind(seen)
    await handle(Envelope.of(ThingMoved(to="the shelf"), "thing-1", 1))
    await handle(Envelope.of(ThingBroken(), "thing-2", 1))
    assert seen == ["thing-1 to the shelf", "thing-2 broken"]
    with pytest.raises(ValidationError):
        await handle(Envelope.of(ThingMoved(to="the shelf"), "thing-1", 2).model_copy(update={"data": {}}))
