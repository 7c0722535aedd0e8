"""What an operator sees of the dead, and does with them. RabbitMQ is real, and so is the command."""

import asyncio
import json
import uuid
from typing import Any

import aio_pika
import pytest

from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.consumer import UnprocessableMessage
from openmusic_kit.messaging.topology import Queue
from openmusic_operations.dead_queue import REPUBLISH_AFTER, connected, every
from openmusic_operations.errors import QueueMissing
from openmusic_testkit.waiting import eventually

QUEUE, DEAD = "media.covers", "media.covers.dead"


async def test_the_list_names_every_queue_and_tells_the_reason_of_each_letter(openmusic: Any, fill: Any) -> None:
    await fill(QUEUE, 2)

    done = await openmusic("dead-letters", "list")

    assert (done.code, done.err) == (0, "")
    assert "export.jobs: no dead letters" in done.out
    assert "playlist.read_copies: no dead letters" in done.out
    assert f"{QUEUE}: 2 dead letters" in done.out
    lines = [line.split() for line in done.out.splitlines() if "letter-" in line]
    assert lines == [
        ["letter-0", "thing.moved.v1", "2026-01-02", "03:04:05Z", "reason", "0"],
        ["letter-1", "thing.moved.v1", "2026-01-02", "03:04:05Z", "reason", "1"],
    ]


async def test_the_list_of_one_queue_may_be_cut_short(openmusic: Any, fill: Any) -> None:
    await fill(QUEUE, 5)

    done = await openmusic("dead-letters", "list", QUEUE, "--limit", "2")

    assert "letter-1" in done.out
    assert "letter-2" not in done.out
    assert "and 3 more" in done.out
    assert "export.jobs" not in done.out


async def test_what_is_looked_at_stays_as_it_was_however_often(
    openmusic: Any, fill: Any, queues: Any, rabbitmq_url: str
) -> None:
    ids = await fill(QUEUE, 5)
    for _ in range(2):
        assert (await openmusic("dead-letters", "list", QUEUE)).code == 0
        assert (await openmusic("dead-letters", "show", DEAD, ids[3])).code == 0
    for look in range(3 * REPUBLISH_AFTER):  # without the time that a process takes to start
        async with connected(rabbitmq_url) as open_queue:
            dead = await open_queue(Queue(QUEUE, ()))
            assert [letter.id for letter in await dead.letters(1 + look % 5)] == ids[: 1 + look % 5]

    left = await queues.drain(DEAD)

    assert [message.message_id for message in left] == ids
    assert [message.headers["x-reason"] for message in left] == [f"reason {number}" for number in range(5)]
    assert max(message.headers.get("x-delivery-count", 0) for message in left) <= REPUBLISH_AFTER + 1


async def test_one_is_shown_with_all_its_headers_and_a_body_that_can_be_read(
    openmusic: Any, fill: Any, queues: Any
) -> None:
    await fill(QUEUE, 1)
    await queues.put(DEAD, b"\xff\x1b[2Jnot text", "strange", **{"x-reason": "because\x1b[31m\nof that"})

    plain, strange = [await openmusic("dead-letters", "show", QUEUE, name) for name in ("letter-0", "strange")]

    assert "x-attempt: 0" in plain.out
    assert "reason  reason 0" in plain.out
    assert json.loads(plain.out.partition("bytes)\n")[2]) == {
        "type": "thing.moved",
        "version": 1,
        "data": {"number": 0},
    }
    assert "\x1b" not in strange.out, "a letter may not move the cursor of whoever reads it"
    assert "\\xff\\x1b[2Jnot text" in strange.out
    assert "because\\x1b[31m\\nof that" in strange.out


async def test_what_rabbitmq_gave_up_itself_has_a_reason_and_a_time_too(openmusic: Any, queues: Any) -> None:
    await queues.put(QUEUE, b"{}", "given-up")
    source = await queues.channel.get_queue(QUEUE, ensure=False)
    await (await source.get()).reject(requeue=False)
    await eventually(lambda: queues.depth(DEAD))

    done = await openmusic("dead-letters", "list", QUEUE)

    (line,) = [line.split() for line in done.out.splitlines() if "given-up" in line]
    assert line[1] == "-"
    assert line[2].startswith("20")
    assert " ".join(line[4:]) == "RabbitMQ gave up: rejected"


async def test_all_can_be_sent_back_in_their_order_as_if_they_were_new(openmusic: Any, fill: Any, queues: Any) -> None:
    ids = await fill(QUEUE, 4)

    done = await openmusic("dead-letters", "replay", QUEUE, "--all")

    assert done.out == f"4 sent back to {QUEUE}\n"
    sent = await queues.drain(QUEUE)
    assert [message.message_id for message in sent] == ids
    assert [json.loads(message.body)["data"]["number"] for message in sent] == [0, 1, 2, 3]
    assert {message.delivery_mode for message in sent} == {aio_pika.DeliveryMode.PERSISTENT}
    assert not any(name in message.headers for message in sent for name in ("x-reason", "x-attempt", "x-died"))
    assert await queues.depth(DEAD) == 0


@pytest.mark.parametrize(("action", "sent"), [(["replay"], ["letter-2"]), (["discard", "--yes"], [])])
async def test_one_can_be_picked_and_the_others_stay_in_order(
    openmusic: Any, fill: Any, queues: Any, action: list[str], sent: list[str]
) -> None:
    await fill(QUEUE, 4)

    assert (await openmusic("dead-letters", *action, QUEUE, "letter-2")).code == 0

    assert [message.message_id for message in await queues.drain(QUEUE)] == sent
    assert [message.message_id for message in await queues.drain(DEAD)] == ["letter-0", "letter-1", "letter-3"]


async def test_nothing_is_deleted_without_a_yes(openmusic: Any, fill: Any, queues: Any) -> None:
    await fill(QUEUE, 3)

    for which in ("--all", "letter-1"):
        done = await openmusic("dead-letters", "discard", QUEUE, which)
        assert done.code == 1
        assert "--yes" in done.err
    assert await queues.depth(DEAD) == 3

    assert (await openmusic("dead-letters", "discard", QUEUE, "--all", "--yes")).out == "3 deleted\n"
    assert await queues.depth(DEAD) == 0


async def test_a_replay_that_is_killed_over_and_over_loses_nothing(openmusic: Any, fill: Any, queues: Any) -> None:
    ids = await fill(QUEUE, 400)
    killed, arrived = 0, 0
    while killed < 4:
        process = await openmusic.start("dead-letters", "replay", QUEUE, "--all")

        async def under_way(before: int = arrived) -> bool:
            return bool(await queues.depth(QUEUE) > before)

        await eventually(under_way)
        process.kill()
        await process.communicate()
        killed += process.returncode == -9
        arrived = await queues.depth(QUEUE)

    async def all_there() -> bool:
        return bool(await queues.depth(QUEUE) + await queues.depth(DEAD) >= len(ids))

    await eventually(all_there)
    sent = {message.message_id for message in await queues.drain(QUEUE)}
    left = {message.message_id for message in await queues.drain(DEAD)}
    assert sent | left == set(ids)
    assert sent and left, "it was not killed in the middle"


async def test_a_letter_stays_where_it_is_when_its_queue_is_gone(rabbitmq_url: str, queues: Any) -> None:
    nowhere = Queue(f"test.{uuid.uuid4().hex}", ())
    await queues.channel.declare_queue(nowhere.dead, durable=True, arguments={"x-queue-type": "quorum"})
    for name in ("one", "two"):
        await queues.put(nowhere.dead, b"{}", name)

    async with connected(rabbitmq_url) as open_queue:
        with pytest.raises(QueueMissing, match=r"stays dead \(0 were moved before\)"):
            await (await open_queue(nowhere)).replay(every)

    assert [message.message_id for message in await queues.drain(nowhere.dead)] == ["one", "two"]


async def test_what_died_of_a_cause_that_is_mended_is_handled_after_a_replay(
    openmusic: Any, queues: Any, rabbitmq_url: str
) -> None:
    mended = asyncio.Event()
    handled: list[str] = []

    async def handle(envelope: Any) -> None:
        if not mended.is_set():
            raise UnprocessableMessage("the shelf is full")
        handled.append(envelope.id)

    broker = Broker(rabbitmq_url)
    broker.consume(Queue(QUEUE, ("album.deleted.v1",)), handle)
    event = {"id": "event-1", "type": "album.deleted", "version": 1, "aggregateId": "album-1", "sequence": 1}
    body = json.dumps(event | {"time": "2026-01-02T03:04:05Z", "data": {}}).encode()
    async with broker.running():
        await eventually(lambda: broker.connected)
        await queues.put(QUEUE, body, "event-1")
        await eventually(lambda: queues.depth(DEAD))
        listed = await openmusic("dead-letters", "list", QUEUE)
        mended.set()
        await openmusic("dead-letters", "replay", QUEUE, "event-1")
        await eventually(lambda: handled)

    assert "the shelf is full" in listed.out
    assert "album.deleted.v1" in listed.out
    assert handled == ["event-1"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["list", "nowhere"], 2, "there is no queue nowhere; there are catalog.users, export.jobs"),
        (["show", QUEUE, "nobody"], 1, f"{DEAD} holds no message nobody"),
        (["replay", QUEUE, "nobody"], 1, f"{DEAD} holds no message nobody"),
        (["discard", QUEUE, "nobody", "--yes"], 1, f"{DEAD} holds no message nobody"),
        (["replay", QUEUE], 2, "--all"),
        (["bury"], 2, "No such command 'bury'"),
    ],
)
@pytest.mark.usefixtures("queues")
async def test_what_cannot_be_done_is_told_in_a_line(
    openmusic: Any, arguments: list[str], code: int, told: str
) -> None:
    done = await openmusic("dead-letters", *arguments)

    assert (done.code, done.out) == (code, "")
    assert told in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("amqp://guest:guest@127.0.0.1:1/", "RabbitMQ does not answer"),
        ("amqp://guest:wrong@{address}/", "RabbitMQ does not answer"),
        ("nonsense", "RABBITMQ_SERVER is not an address"),
    ],
)
async def test_without_a_broker_it_says_so_in_a_line(openmusic: Any, rabbitmq_url: str, url: str, told: str) -> None:
    address = rabbitmq_url.partition("@")[2].partition("/")[0]

    done = await openmusic("dead-letters", "list", RABBITMQ_SERVER=url.format(address=address))

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"openmusic: {told}")
    assert done.err.count("\n") == 1
    assert "wrong" not in done.err
