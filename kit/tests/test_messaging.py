import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiormq
import pytest
from aio_pika import Message
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from openmusic_kit.context import redelivered, request_id
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.consumer import UnprocessableMessage
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.topology import Queue
from openmusic_testkit.waiting import eventually

pytestmark = pytest.mark.usefixtures("disconnect")

Eventually = Callable[..., Awaitable[Any]]
Take = Callable[[str], Awaitable[Any]]
Running = Callable[..., Any]
Moved = Callable[[str], EventData]
Handler = Callable[[Envelope], Awaitable[None]]


@pytest.fixture
def running(rabbitmq_url: str, queue: Queue) -> Running:
    """A broker that is connected, and hands the messages of the queue to the handler if there is one."""

    @asynccontextmanager
    async def run(handler: Handler | None = None, *, prefetch: int = 20, grace: float = 10) -> AsyncIterator[Broker]:
        broker = Broker(rabbitmq_url, grace)
        if handler is not None:
            broker.consume(queue, handler, prefetch)
        else:
            broker.ensure_queue(queue)
        async with broker.running():
            await eventually(lambda: broker.connected)
            yield broker

    return run


async def publish(broker: Broker, event: EventData, sequence: int = 1) -> Envelope:
    envelope = Envelope.of(event, "thing-1", sequence)
    body = envelope.model_dump_json(by_alias=True).encode()
    await broker.publish(body, routing_key=envelope.routing_key, message_id=envelope.id)
    return envelope


async def test_a_message_is_handled_under_the_request_id_of_its_cause(running: Running, moved: Moved) -> None:
    seen: list[tuple[str, dict[str, Any], str]] = []

    async def handle(envelope: Envelope) -> None:
        seen.append((envelope.id, envelope.data, request_id.get()))

    token = request_id.set("request-7")
    async with running(handle) as broker:
        request_id.reset(token)
        token = request_id.set("request-8")
        sent = await publish(broker, moved("the shelf"))
        request_id.reset(token)
        await eventually(lambda: seen)
    assert seen == [(sent.id, {"to": "the shelf"}, "request-8")]


async def test_a_message_waits_for_a_consumer_that_never_ran(running: Running, moved: Moved) -> None:
    seen: list[str] = []

    async def handle(envelope: Envelope) -> None:
        seen.append(envelope.id)

    async with running() as broker:
        sent = await publish(broker, moved("the shelf"))
    async with running(handle):
        await eventually(lambda: seen)
    assert seen == [sent.id]


async def test_a_message_that_was_in_other_hands_before_is_known_as_such(
    running: Running, moved: Moved, queue: Queue, open_channel: Callable[[], Any]
) -> None:
    seen: list[bool] = []

    async def handle(_: Envelope) -> None:
        seen.append(redelivered.get())

    async with running() as broker:
        await publish(broker, moved("the shelf"))
        assert await broker.waiting(queue) == 1
        async with open_channel() as channel:
            assert await (await channel.get_queue(queue.name, ensure=False)).get()
            assert await broker.waiting(queue) == 0
        await eventually(lambda: broker.waiting(queue))
    async with running(handle) as broker:
        await eventually(lambda: seen)
        await publish(broker, moved("the table"))
        await eventually(lambda: len(seen) == 2)
    assert seen == [True, False]


async def test_a_failing_handler_is_tried_again_ever_later_until_the_message_is_dead(
    running: Running, moved: Moved, queue: Queue, take: Take
) -> None:
    attempts: list[float] = []

    async def handle(_: Envelope) -> None:
        attempts.append(time.monotonic())
        raise ConnectionError("no mail today")

    async with running(handle) as broker:
        sent = await publish(broker, moved("the shelf"))
        dead = await eventually(lambda: take(queue.dead))
    pauses = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert pauses[0] >= 0.05
    assert all(pause >= 0.3 for pause in pauses[1:])
    assert attempts[-1] - attempts[0] >= 1.4, "it was given up too early"
    assert json.loads(dead.body)["id"] == sent.id
    assert dead.message_id == sent.id
    assert "no mail today" in dead.headers["x-reason"]


async def test_a_handler_that_recovers_sees_the_message_again(
    running: Running, moved: Moved, queue: Queue, take: Take
) -> None:
    attempts: list[str] = []

    async def handle(envelope: Envelope) -> None:
        attempts.append(envelope.id)
        if len(attempts) == 1:
            raise ConnectionError

    async with running(handle) as broker:
        sent = await publish(broker, moved("the shelf"))
        await eventually(lambda: len(attempts) == 2)
    assert attempts == [sent.id, sent.id]
    assert await take(queue.name) is None
    assert await take(queue.dead) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe not text", "malformed"),
        (b'{"id": ', "malformed"),
        (b'{"id": "1"}', "malformed"),
        (
            b'{"id": "1", "type": "thing.moved", "version": 2, "aggregateId": "t", "sequence": 1,'
            b' "time": "2026-01-01T00:00:00Z", "data": {}}',
            "unknown event: thing.moved.v2",
        ),
        (
            b'{"id": "1", "type": "thing.moved", "version": 1, "aggregateId": "t", "sequence": 1,'
            b' "time": "2026-01-01T00:00:00Z", "data": {"to": 5}}',
            "malformed",
        ),
    ],
)
async def test_what_nobody_understands_is_dead_and_blocks_nothing(
    running: Running,
    moved: Moved,
    queue: Queue,
    take: Take,
    open_channel: Callable[[], Any],
    body: bytes,
    reason: str,
) -> None:
    event_class = type(moved("anywhere"))
    seen: list[str] = []

    async def handle(envelope: Envelope) -> None:
        event_class.model_validate(envelope.data)
        seen.append(envelope.id)

    async with running(handle, prefetch=1) as broker:
        async with open_channel() as channel:
            strange = Message(body, content_type="image/png", headers={"x-attempt": "many", "x-first-failure": True})
            await channel.default_exchange.publish(strange, queue.name)
        sent = await publish(broker, moved("the shelf"))
        await eventually(lambda: seen)
        dead = await eventually(lambda: take(queue.dead))
    assert seen == [sent.id]
    assert dead.body == body
    assert dead.headers["x-reason"].startswith(reason)


async def test_a_stranger_s_headers_do_not_disturb_the_schedule(
    running: Running, queue: Queue, moved: Moved, open_channel: Callable[[], Any]
) -> None:
    attempts: list[str] = []

    async def handle(envelope: Envelope) -> None:
        attempts.append(envelope.id)
        if len(attempts) == 1:
            raise ConnectionError

    body = Envelope.of(moved("the shelf"), "thing-1", 1).model_dump_json(by_alias=True).encode()
    async with running(handle):
        async with open_channel() as channel:
            strange = Message(body, headers={"x-attempt": "many", "x-first-failure": "long ago"})
            await channel.default_exchange.publish(strange, queue.name)
        await eventually(lambda: len(attempts) == 2)
    assert len(set(attempts)) == 1


async def test_a_rejected_message_is_dead_at_once(running: Running, moved: Moved, queue: Queue, take: Take) -> None:
    attempts: list[str] = []
    began = int(time.time() * 1000)

    async def handle(envelope: Envelope) -> None:
        attempts.append(envelope.id)
        raise UnprocessableMessage("the thing cannot be moved")

    async with running(handle) as broker:
        await publish(broker, moved("the moon"))
        dead = await eventually(lambda: take(queue.dead))
    assert len(attempts) == 1
    assert dead.headers["x-reason"] == "the thing cannot be moved"
    assert began <= dead.headers["x-died"] <= int(time.time() * 1000)


async def test_a_handler_in_flight_may_finish_when_the_process_stops(
    running: Running, moved: Moved, queue: Queue, take: Take
) -> None:
    begun, go_on, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(_: Envelope) -> None:
        begun.set()
        await go_on.wait()
        finished.set()

    async with running(handle) as broker:
        await publish(broker, moved("the shelf"))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.2, go_on.set)
    assert finished.is_set()
    assert await take(queue.name) is None


async def test_a_handler_that_takes_too_long_to_stop_leaves_its_message_for_another(
    running: Running, moved: Moved, queue: Queue, take: Take
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(_: Envelope) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(handle, grace=0.1) as broker:
        sent = await publish(broker, moved("the shelf"))
        await begun.wait()
    assert ended.is_set()
    left = await eventually(lambda: take(queue.name))
    assert left.message_id == sent.id
    assert "x-attempt" not in left.headers, "it is no failure to be stopped"


async def test_queues_that_somebody_deleted_come_back(
    running: Running, moved: Moved, queue: Queue, open_channel: Callable[[], Any]
) -> None:
    attempts: list[str] = []

    async def handle(envelope: Envelope) -> None:
        attempts.append(envelope.id)
        if attempts.count(envelope.id) == 1:
            raise ConnectionError

    async with running(handle) as broker:

        async def delivered() -> bool:
            try:
                sent = await publish(broker, moved("the shelf"))
            except Exception:
                return False
            return bool(await eventually(lambda: attempts.count(sent.id) == 2))

        for _ in range(3):  # as it depends on who is faster, the broker at deleting or we at declaring
            await eventually(delivered)
            async with open_channel() as channel:
                for name in (queue.name, queue.dead, *map(queue.retry_queue, queue.retry.delays)):
                    await channel.queue_delete(name)
        await eventually(delivered)


@pytest.mark.parametrize("which", ["dead", "retry"])
async def test_a_message_that_cannot_be_moved_is_not_lost(
    running: Running,
    moved: Moved,
    queue: Queue,
    take: Take,
    open_channel: Callable[[], Any],
    which: str,
) -> None:
    """The queue for it is missing at first; it comes back, and so does the message."""
    seen: list[str] = []

    async def handle(envelope: Envelope) -> None:
        if not seen:
            async with open_channel() as channel:
                await channel.queue_delete(queue.dead if which == "dead" else queue.retry_queue(0.05))
        seen.append(envelope.id)
        if which == "dead":
            raise UnprocessableMessage("the thing cannot be moved")
        if len(seen) < 3:
            raise ConnectionError

    async with running(handle) as broker:
        sent = await publish(broker, moved("the shelf"))
        if which == "dead":
            dead = await eventually(lambda: _if_there(take(queue.dead)))
            assert dead.message_id == sent.id
        else:
            await eventually(lambda: seen == [sent.id] * 3)
    assert len(seen) >= 2, "it was moved at once, so this shows nothing"


async def test_an_event_that_no_queue_takes_is_not_confirmed(running: Running, unwanted: EventData) -> None:
    async with running() as broker:
        with pytest.raises(DeliveryError):
            await publish(broker, unwanted)


async def test_a_process_starts_without_rabbitmq_and_outlives_its_restarts(
    rabbitmq_url: str, test_stack: Any, moved: Moved, queue: Queue
) -> None:
    seen: list[str] = []

    async def handle(envelope: Envelope) -> None:
        seen.append(envelope.id)
        if seen.count(envelope.id) < 3:
            raise ConnectionError  # so that both retry queues are at work again as well

    broker = Broker(rabbitmq_url)
    broker.consume(queue, handle)
    await asyncio.to_thread(test_stack.stop_process, "rabbitmq")
    try:
        async with broker.running():
            with pytest.raises(Unavailable):
                await publish(broker, moved("nowhere"))
            with pytest.raises(Unavailable):
                await broker.ping()
            for restart in range(2):
                if restart:
                    await asyncio.to_thread(test_stack.stop_process, "rabbitmq")
                    await eventually(lambda: not broker.connected)
                await asyncio.to_thread(test_stack.start_process, "rabbitmq")
                await eventually(lambda: broker.connected)
                await broker.ping()
                sent = await publish(broker, moved("the shelf"))
                await eventually(lambda sent=sent: seen.count(sent.id) == 3)
    finally:
        await asyncio.to_thread(test_stack.start_process, "rabbitmq")


async def test_a_handler_is_not_stopped_when_the_connection_is_lost(
    running: Running, moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It might be between a mail that was sent and the note of it."""
    connections: list[aiormq.Connection] = []
    connect = aiormq.Connection.connect

    async def remembered(self: aiormq.Connection, *arguments: Any, **more: Any) -> Any:
        connections.append(self)
        return await connect(self, *arguments, **more)

    monkeypatch.setattr(aiormq.Connection, "connect", remembered)
    begun: list[str] = []
    finished: list[str] = []
    go_on = asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        begun.append(envelope.id)
        await go_on.wait()
        finished.append(envelope.id)

    async with running(handle) as broker:
        published = await publish(broker, moved("cellar"))
        await eventually(lambda: begun == [published.id])
        await connections[-1].close(ConnectionError("lost"))
        await eventually(lambda: begun == [published.id] * 2)
        go_on.set()
        await eventually(lambda: finished == [published.id] * 2)


async def _if_there(taking: Awaitable[Any]) -> Any:
    """None also while the queue itself is missing, or is being declared: RabbitMQ then closes the connection (541)."""
    with suppress(ChannelNotFoundEntity, aiormq.exceptions.ConnectionInternalError):
        return await taking
