"""What stands in RabbitMQ: the exchange of all events, and beside each consumer's queue those for retries and the dead.

All are durable quorum queues. Messages pass from one to another at least once, which needs ``reject-publish``
(https://www.rabbitmq.com/docs/quorum-queues#dead-lettering).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from aio_pika.abc import AbstractConnection
from faststream.rabbit import ExchangeType, QueueType, RabbitExchange, RabbitQueue
from faststream.rabbit.schemas.queue import QuorumQueueArgs

DEAD_LETTER_LIFE = 30 * 86_400
"""Seconds in which operators replay a dead letter. What tells a repeat from something new is kept that long."""
EXCHANGE = RabbitExchange("openmusic.events", type=ExchangeType.TOPIC, durable=True)


@dataclass(frozen=True)
class RetrySchedule:
    """Seconds between attempts; the last delay repeats until the first failure is ``give_up_after`` seconds ago."""

    delays: tuple[float, ...] = (1, 2, 5, 15, 30, 60)
    give_up_after: float = 86_400

    def delay(self, attempt: int) -> float:
        """The pause after the ``attempt``-th failure, counted from 1."""
        return self.delays[min(attempt, len(self.delays)) - 1]


@dataclass(frozen=True)
class Queue:
    """``routing_keys`` are exact, ``<type>.v<version>``: the events that its consumer understands."""

    name: str
    routing_keys: tuple[str, ...]
    retry: RetrySchedule = field(default_factory=RetrySchedule)

    @property
    def dead(self) -> str:
        return f"{self.name}.dead"

    def retry_queue(self, delay: float) -> str:
        return f"{self.name}.retry.{int(delay * 1000)}"


def main_queue(queue: Queue) -> RabbitQueue:
    """What the broker itself gives up on, after its own limit of deliveries, goes the way of the dead as well."""
    return _quorum_queue(queue.name, _dead_letters_to(queue.dead))


async def declare(connection: AbstractConnection, queues: Iterable[Queue]) -> dict[str, int]:
    """Makes what is missing, and gives the number of consumers of each main queue.

    Raises when something of the same name but another kind is there.
    """
    consumers: dict[str, int] = {}
    async with connection.channel() as channel:
        exchange = await channel.declare_exchange(EXCHANGE.name, EXCHANGE.type.value, durable=EXCHANGE.durable)
        for queue in queues:
            for each in (*_side_queues(queue), main_queue(queue)):
                declared = await channel.declare_queue(each.name, durable=True, arguments=each.arguments)
            for key in queue.routing_keys:
                await declared.bind(exchange, key)
            consumers[queue.name] = declared.declaration_result.consumer_count or 0
    return consumers


async def depths(connection: AbstractConnection, *names: str) -> dict[str, int]:
    """The messages in each of these queues that no consumer has in hand. Raises ChannelNotFoundEntity."""
    async with connection.channel() as channel:
        declared = {name: await channel.declare_queue(name, passive=True) for name in names}
        return {name: each.declaration_result.message_count or 0 for name, each in declared.items()}


def _side_queues(queue: Queue) -> list[RabbitQueue]:
    retries = [
        _quorum_queue(queue.retry_queue(delay), {"x-message-ttl": int(delay * 1000), **_dead_letters_to(queue.name)})
        for delay in dict.fromkeys(queue.retry.delays)
    ]
    return [_quorum_queue(queue.dead, {}), *retries]


def _dead_letters_to(name: str) -> dict[str, Any]:
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _quorum_queue(name: str, arguments: dict[str, Any]) -> RabbitQueue:
    return RabbitQueue(name, queue_type=QueueType.QUORUM, arguments=cast("QuorumQueueArgs", arguments))
