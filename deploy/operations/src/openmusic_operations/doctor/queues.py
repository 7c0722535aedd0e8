"""RabbitMQ: whether each queue has a consumer, and how much waits in it."""

import asyncio
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity

from openmusic_kit.settings import BrokerSettings
from openmusic_operations.dead_letters import QUEUES
from openmusic_operations.doctor.findings import Finding, ok, problem, warning
from openmusic_operations.processes import Configured
from openmusic_operations.system import PROCESSES

TIMEOUT = 10.0  # seconds
MANY = 1000  # messages that wait in one queue
CONSUMERS = {queue: process.name for process in PROCESSES.values() for queue in process.consumes}


@dataclass(frozen=True)
class _Depth:
    messages: int
    consumers: int


async def examine(each: Configured) -> list[Finding]:
    assert isinstance(each.settings, BrokerSettings), "of a process with a broker"  # noqa: S101 - for the types
    try:
        async with asyncio.timeout(TIMEOUT):
            url = each.settings.rabbitmq_server.get_secret_value()
            async with await aio_pika.connect(url, timeout=TIMEOUT) as connection:
                return [finding for name in QUEUES for finding in await _examine(connection, name)]
    except (TimeoutError, AMQPError, OSError, ValueError) as error:
        return [
            problem(
                "rabbitmq",
                f"does not answer: {type(error).__name__}",
                "Is it up, and is RABBITMQ_SERVER its address? Until then events and exports wait; nothing is lost.",
            )
        ]


async def _examine(connection: AbstractConnection, name: str) -> list[Finding]:
    subject, consumer = f"queue {name}", CONSUMERS[name]
    waiting, dead = await _depth(connection, name), await _depth(connection, QUEUES[name].dead)
    if waiting is None or dead is None:
        return [warning(subject, "does not exist", f"Start {consumer}, which makes it.")]
    found = []
    if not waiting.consumers:
        found.append(problem(subject, f"has no consumer; {waiting.messages} messages wait", f"Start {consumer}."))
    elif waiting.messages > MANY:
        found.append(warning(subject, f"{waiting.messages} messages wait", f"Add copies of {consumer}."))
    else:
        found.append(ok(subject, f"{waiting.messages} messages wait for {waiting.consumers} consumers"))
    if dead.messages:
        remedy = f"Look at the reasons: `openmusic dead-letters list {name}`; then replay or discard them."
        found.append(warning(subject, f"has {dead.messages} dead letters", remedy))
    return found


async def _depth(connection: AbstractConnection, name: str) -> _Depth | None:
    async with connection.channel() as channel:
        try:
            declared = (await channel.declare_queue(name, passive=True)).declaration_result
        except ChannelNotFoundEntity:
            return None
        return _Depth(declared.message_count or 0, declared.consumer_count or 0)
