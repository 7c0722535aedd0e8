import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from openmusic_kit.database.database import Database, open_database
from openmusic_kit.messaging import outbox
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.inbox import RETENTION, mark_all_processed, mark_processed
from openmusic_kit.messaging.relay import BATCH, OutboxRelay
from openmusic_kit.messaging.topology import DEAD_LETTER_LIFE, Queue, RetrySchedule
from openmusic_kit.settings import DatabaseSettings
from openmusic_testkit.waiting import eventually

pytestmark = pytest.mark.usefixtures("disconnect")

Eventually = Callable[..., Awaitable[Any]]
Moved = Callable[[str], EventData]
Relaying = Callable[..., Any]


@pytest.fixture
def relaying(rabbitmq_url: str, database: Database, queue: Queue) -> Relaying:
    """Relays at work, each with a broker of its own."""

    @asynccontextmanager
    async def run(*, relays: int = 1, knows_the_queue: bool = True) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _ in range(relays):
                broker = Broker(rabbitmq_url)
                if knows_the_queue:
                    broker.ensure_queue(queue)
                await stack.enter_async_context(broker.running())
                await eventually(lambda broker=broker: broker.connected)
                await stack.enter_async_context(OutboxRelay(database, broker).running())
            yield

    return run


@pytest.fixture
def waiting(database: Database) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        async with database.read() as connection:
            row = await (await connection.execute("SELECT count(*) AS rows FROM outbox")).fetchone()
        return int(row["rows"]) if row else 0

    return count


@pytest.fixture
def drain(open_channel: Callable[[], Any], queue: Queue) -> Callable[[], Awaitable[list[Envelope]]]:
    """All that is in the test's queue."""

    async def taken() -> list[Envelope]:
        found = []
        async with open_channel() as channel:
            source = await channel.get_queue(queue.name, ensure=False)
            while (message := await source.get(no_ack=True, fail=False)) is not None:
                found.append(Envelope.model_validate_json(message.body))
        return found

    return taken


async def record(database: Database, event: EventData, sequence: int = 1) -> None:
    async with database.unit_of_work() as work:
        await outbox.append(work.connection, event, aggregate_id="thing-1", sequence=sequence)
        await work.commit()


async def test_an_event_is_published_once_its_change_is_committed(
    database: Database, relaying: Relaying, moved: Moved, waiting: Any, drain: Any
) -> None:
    async with relaying():
        async with database.unit_of_work() as work:
            await outbox.append(work.connection, moved("nowhere"), aggregate_id="thing-1", sequence=1)
        await record(database, moved("the shelf"), sequence=2)
        await eventually(lambda: _is_zero(waiting))
    (only,) = await drain()
    assert (only.type, only.version, only.aggregate_id, only.sequence) == ("thing.moved", 1, "thing-1", 2)
    assert only.data == {"to": "the shelf"}


async def test_a_commit_wakes_the_relay(
    database: Database,
    relaying: Relaying,
    moved: Moved,
    waiting: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openmusic_kit.messaging.relay.POLL_INTERVAL", 3600)
    async with relaying():
        await record(database, moved("the shelf"))
        await eventually(lambda: _is_zero(waiting), seconds=5)
        await record(database, moved("the floor"))
        await eventually(lambda: _is_zero(waiting), seconds=5)
    assert await waiting() == 0


async def test_what_is_stored_with_its_event_in_one_statement_is_stored_with_it_or_not_at_all(
    database: Database, moved: Moved, waiting: Any
) -> None:
    async def store(event_id: str | None) -> bool:
        async with database.autocommit() as connection:
            statement = (
                "INSERT INTO inbox (event_id) SELECT %(event_id)s WHERE %(event_id)s IS DISTINCT FROM 'no' RETURNING 1"
            )
            return await outbox.append_with(
                connection, statement, {"event_id": event_id}, moved("shelf"), aggregate_id="thing-1", sequence=1
            )

    with pytest.raises(psycopg.errors.NotNullViolation):
        await store(None)
    assert (await waiting(), database.events_stored.is_set()) == (0, False)
    assert not await store("no")
    assert (await waiting(), database.events_stored.is_set()) == (0, False)
    assert await store("one")
    assert (await waiting(), database.events_stored.is_set()) == (1, True)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await store("one")
    assert await waiting() == 1


async def test_a_change_of_nothing_does_not_make_the_transaction_forget_its_event(
    database: Database, moved: Moved
) -> None:
    async with database.unit_of_work() as work:
        await outbox.append(work.connection, moved("shelf"), aggregate_id="thing-1", sequence=1)
        assert not await outbox.append_with(
            work.connection,
            "UPDATE outbox SET routing_key = routing_key WHERE false RETURNING 1",
            {},
            moved("floor"),
            aggregate_id="thing-1",
            sequence=2,
        )
        await work.commit()

    assert database.events_stored.is_set()


async def test_several_relays_publish_each_event_once(
    database: Database, relaying: Relaying, moved: Moved, waiting: Any, drain: Any
) -> None:
    events = 1000
    async with database.unit_of_work() as work:
        for number in range(1, events + 1):
            await outbox.append(work.connection, moved(str(number)), aggregate_id="thing-1", sequence=number)
        await work.commit()
    async with relaying(relays=3):
        await eventually(lambda: _is_zero(waiting))
    times = Counter(envelope.sequence for envelope in await drain())
    assert times == Counter(range(1, events + 1))


async def test_an_event_that_is_not_confirmed_stays(
    database: Database,
    relaying: Relaying,
    moved: Moved,
    waiting: Any,
    drain: Any,
    open_channel: Callable[[], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with relaying(), open_channel() as channel:
        refuses = {"x-max-length": 0, "x-overflow": "reject-publish"}
        full = await channel.declare_queue(exclusive=True, arguments=refuses)
        await full.bind("openmusic.events", "thing.moved.v1")
        await record(database, moved("the shelf"))
        await eventually(lambda: "events are unroutable" in caplog.text)
        assert await waiting() == 1
        await channel.queue_delete(full.name)
        await eventually(lambda: _is_zero(waiting))
    assert {envelope.sequence for envelope in await drain()} == {1}


async def test_an_event_that_no_queue_takes_waits_for_the_first_that_does(
    database: Database,
    relaying: Relaying,
    unwanted: EventData,
    waiting: Any,
    open_channel: Callable[[], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As when RabbitMQ lost its data: the exchange is declared again, and the consumer of the event comes later."""
    key = f"{unwanted.event_type}.v1"
    async with relaying(knows_the_queue=False), open_channel() as channel:
        await record(database, unwanted)
        await eventually(lambda: "events are unroutable" in caplog.text)
        assert await waiting() == 1
        late = await channel.declare_queue(exclusive=True)
        await late.bind("openmusic.events", key)
        await eventually(lambda: _is_zero(waiting))
        message = await late.get(no_ack=True)
    assert message.routing_key == key


async def test_events_that_no_queue_takes_do_not_hold_up_the_others(
    database: Database,
    relaying: Relaying,
    moved: Moved,
    unwanted: EventData,
    waiting: Any,
    drain: Any,
) -> None:
    async with database.unit_of_work() as work:
        for number in range(1, BATCH + 2):
            await outbox.append(work.connection, unwanted, aggregate_id="lost", sequence=number)
        await outbox.append(work.connection, moved("the shelf"), aggregate_id="thing-1", sequence=1)
        await work.commit()

    async with relaying():
        await eventually(lambda: _is(BATCH + 1, waiting))
        (taken,) = await drain()

    assert taken.aggregate_id == "thing-1"


async def test_events_are_published_in_the_order_in_which_they_were_recorded(
    database: Database, relaying: Relaying, moved: Moved, waiting: Any, drain: Any
) -> None:
    for number in range(1, 6):
        await record(database, moved("the shelf"), sequence=number)
    async with database.read() as connection:  # moves the first behind the others in the file of the table
        await connection.execute(
            "UPDATE outbox SET created_at = now() WHERE position = (SELECT min(position) FROM outbox)"
        )

    async with relaying():
        await eventually(lambda: _is_zero(waiting))

    assert [envelope.sequence for envelope in await drain()] == [1, 2, 3, 4, 5]


async def test_a_row_that_another_relay_has_in_hand_is_not_waited_for(
    database: Database, relaying: Relaying, moved: Moved, waiting: Any, drain: Any
) -> None:
    for number in (1, 2):
        await record(database, moved("the shelf"), sequence=number)
    async with database.unit_of_work() as other:
        await other.connection.execute("SELECT 1 FROM outbox ORDER BY position LIMIT 1 FOR UPDATE")
        async with relaying():
            await eventually(lambda: _is(1, waiting))
    assert [envelope.sequence for envelope in await drain()] == [2]


async def test_events_wait_while_rabbitmq_is_down(
    database: Database,
    relaying: Relaying,
    moved: Moved,
    waiting: Any,
    drain: Any,
    test_stack: Any,
) -> None:
    async with relaying():
        await asyncio.to_thread(test_stack.stop_process, "rabbitmq")
        try:
            for number in range(1, 4):
                await record(database, moved("the shelf"), sequence=number)
            assert await waiting() == 3
        finally:
            await asyncio.to_thread(test_stack.start_process, "rabbitmq")
        await eventually(lambda: _is_zero(waiting), seconds=40)
    assert {envelope.sequence for envelope in await drain()} == {1, 2, 3}


async def test_no_event_is_lost_when_rabbitmq_comes_back_empty(
    database: Database,
    rabbitmq_url: str,
    relaying: Relaying,
    queue: Queue,
    moved: Moved,
    waiting: Any,
    test_stack: Any,
) -> None:
    seen: set[int] = set()

    async def handle(envelope: Envelope) -> None:
        seen.add(envelope.sequence)

    def come_back_empty() -> None:
        test_stack.stop_process("rabbitmq")
        shutil.rmtree(test_stack.folder / "rabbitmq" / "data")
        test_stack.start_process("rabbitmq")

    consumer = Broker(rabbitmq_url)
    consumer.consume(queue, handle)
    async with relaying(knows_the_queue=False), consumer.running():
        await record(database, moved("the shelf"), sequence=1)
        await eventually(lambda: seen == {1})
        emptied = asyncio.create_task(asyncio.to_thread(come_back_empty))
        number = 1
        while not emptied.done():
            number += 1
            await record(database, moved("the shelf"), sequence=number)
            await asyncio.wait([emptied], timeout=0.05)
        await emptied
        await eventually(lambda: seen == set(range(1, number + 1)), seconds=40)
        await eventually(lambda: _is_zero(waiting))


async def test_the_relay_outlives_a_restart_of_postgresql(
    database: Database,
    relaying: Relaying,
    moved: Moved,
    waiting: Any,
    drain: Any,
    test_stack: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with relaying():
        await record(database, moved("the shelf"), sequence=1)
        await eventually(lambda: _is_zero(waiting))
        await asyncio.to_thread(test_stack.stop_process, "postgres")
        await asyncio.to_thread(test_stack.start_process, "postgres")
        await eventually(lambda: _succeeds(database.ping))
        monkeypatch.setattr("openmusic_kit.messaging.relay.POLL_INTERVAL", 3600)
        await record(database, moved("the floor"), sequence=2)
        await eventually(lambda: _is_zero(waiting))
    assert {envelope.sequence for envelope in await drain()} == {1, 2}


async def test_a_message_that_comes_twice_is_applied_once(
    database: Database, rabbitmq_url: str, queue: Queue, moved: Moved
) -> None:
    handled: list[bool] = []

    async def apply(envelope: Envelope) -> None:
        async with database.unit_of_work() as work:
            new = await mark_processed(work.connection, envelope.id)
            await work.commit()
        handled.append(new)

    broker = Broker(rabbitmq_url)
    broker.consume(queue, apply)
    envelope = Envelope.of(moved("the shelf"), "thing-1", 1)
    async with broker.running():
        await eventually(lambda: broker.connected)
        body = envelope.model_dump_json(by_alias=True).encode()
        for _ in range(3):
            await broker.publish(body, routing_key=envelope.routing_key, message_id=envelope.id)
        await eventually(lambda: len(handled) == 3)
    assert sorted(handled) == [False, False, True]


async def test_an_event_that_was_not_committed_may_be_applied_again(database: Database) -> None:
    async with database.unit_of_work() as work:
        assert await mark_processed(work.connection, "event-1")
    async with database.unit_of_work() as work:
        assert await mark_processed(work.connection, "event-1")
        await work.commit()
    async with database.unit_of_work() as work:
        assert not await mark_processed(work.connection, "event-1")


async def test_of_many_events_the_new_ones_are_told(database: Database) -> None:
    async with database.unit_of_work() as work:
        assert await mark_all_processed(work.connection, ["b", "a", "b"]) == {"a", "b"}
        assert await mark_all_processed(work.connection, ["c", "a"]) == {"c"}


async def test_of_two_who_apply_an_event_at_once_the_second_waits_and_finds_it_done(
    database_settings: DatabaseSettings, database: Database
) -> None:
    async with open_database(database_settings) as other, other.unit_of_work() as second:
        async with database.unit_of_work() as first:
            assert await mark_processed(first.connection, "event-1")
            waiting = asyncio.create_task(mark_processed(second.connection, "event-1"))
            await asyncio.wait([waiting], timeout=0.1)
            assert not waiting.done()
            await first.commit()
        assert await waiting is False


async def test_an_id_is_forgotten_when_no_repeat_can_come_any_more(database: Database) -> None:
    """Those of older transactions, ten with each event, so that no event waits for the removal of many."""
    async with database.read() as connection:
        for number in range(12):
            age = RETENTION + 60 + number
            await connection.execute(
                "INSERT INTO inbox VALUES (%s, now() - make_interval(secs => %s))", [f"ancient-{number}", age]
            )
        await connection.execute(
            "INSERT INTO inbox VALUES ('old', now() - make_interval(secs => %s))", [RETENTION - 60]
        )

        assert await mark_processed(connection, "event-1")
        assert await ids(connection) == {"ancient-0", "ancient-1", "old", "event-1"}, "the oldest go first"

        assert not await mark_processed(connection, "old")
        assert await ids(connection) == {"old", "event-1"}


async def test_an_id_that_another_transaction_has_locked_is_not_waited_for(
    database_settings: DatabaseSettings, database: Database
) -> None:
    async with open_database(database_settings) as other, database.read() as connection:
        await connection.execute("INSERT INTO inbox VALUES ('ancient', '2020-01-01')")
        async with other.unit_of_work() as work:
            await work.connection.execute("SELECT 1 FROM inbox FOR UPDATE")
            async with asyncio.timeout(10):
                assert await mark_processed(connection, "event-1")


def test_an_id_is_remembered_longer_than_any_message_is_kept() -> None:
    thirty_days, one_day = 30 * 24 * 3600, 24 * 3600
    assert (DEAD_LETTER_LIFE, RetrySchedule().give_up_after) == (thirty_days, one_day)
    assert thirty_days + one_day == RETENTION


async def ids(connection: AsyncConnection[Any]) -> set[str]:
    rows = await (await connection.execute("SELECT event_id FROM inbox")).fetchall()
    return {row["event_id"] for row in rows}


async def _is_zero(count: Callable[[], Awaitable[int]]) -> bool:
    return await _is(0, count)


async def _is(wanted: int, count: Callable[[], Awaitable[int]]) -> bool:
    return await count() == wanted


async def _succeeds(action: Callable[[], Awaitable[None]]) -> bool:
    try:
        await action()
    except Exception:
        return False
    return True
