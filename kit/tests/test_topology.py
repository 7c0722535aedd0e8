from collections.abc import Callable
from typing import Any

import pytest

from openmusic_kit.messaging import topology
from openmusic_kit.messaging.topology import Queue, RetrySchedule


@pytest.mark.parametrize(("attempt", "delay"), [(1, 1), (2, 2), (3, 5), (4, 15), (5, 30), (6, 60), (7, 60), (1000, 60)])
def test_delays_grow_to_a_minute_and_stay_there(attempt: int, delay: float) -> None:
    assert RetrySchedule().delay(attempt) == delay


@pytest.mark.usefixtures("disconnect")
async def test_queues_are_declared_as_an_operator_finds_them(queue: Queue, open_channel: Callable[[], Any]) -> None:
    """RabbitMQ refuses a declaration with any other argument than those of the queue that is there."""
    async with open_channel() as channel:
        consumers = await topology.declare(channel._connection, [queue])
        assert consumers == {queue.name: 0}
        await channel.declare_exchange("openmusic.events", "topic", durable=True)
        quorum = {"x-queue-type": "quorum"}
        moves = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        wanted = {
            queue.name: {**quorum, **moves, "x-dead-letter-routing-key": f"{queue.name}.dead"},
            f"{queue.name}.dead": quorum,
            f"{queue.name}.retry.50": {
                **quorum,
                **moves,
                "x-dead-letter-routing-key": queue.name,
                "x-message-ttl": 50,
            },
            f"{queue.name}.retry.300": {
                **quorum,
                **moves,
                "x-dead-letter-routing-key": queue.name,
                "x-message-ttl": 300,
            },
        }
        for name, arguments in wanted.items():
            await channel.declare_queue(name, durable=True, arguments=arguments)


@pytest.mark.usefixtures("disconnect")
async def test_a_declaration_tells_how_many_consumers_each_queue_has(
    queue: Queue, open_channel: Callable[[], Any]
) -> None:
    async with open_channel() as channel:
        await topology.declare(channel._connection, [queue])
        main = await channel.get_queue(queue.name)
        for _ in range(2):
            await main.consume(lambda _: None)
        assert await topology.declare(channel._connection, [queue]) == {queue.name: 2}
