import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from openmusic_kit.messaging import topology
from openmusic_operations.dead_letters import QUEUES
from openmusic_testkit.processes import Done, Starter

_commands = Starter("openmusic_operations", ["openmusic_operations.dead_letters"])


@dataclass(frozen=True)
class CommandLine:
    url: str

    async def start(self, *arguments: str) -> Process:
        """As an operator does, in a process that can be killed."""
        program = [sys.executable, "-m", "openmusic_operations"]
        around = self._environment()
        return await asyncio.create_subprocess_exec(*program, *arguments, env=around, stdout=PIPE, stderr=PIPE)

    async def __call__(self, *arguments: str, **environment: str) -> Done:
        return await asyncio.to_thread(_commands.run, arguments, self._environment() | environment)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "RABBITMQ_SERVER": self.url}


@pytest.fixture
def openmusic(rabbitmq_url: str) -> CommandLine:
    return CommandLine(rabbitmq_url)


@dataclass(frozen=True)
class Queues:
    """A look at RabbitMQ past our own code."""

    channel: AbstractChannel

    async def put(self, queue: str, body: bytes, message_id: str | None, **headers: Any) -> None:
        message = aio_pika.Message(
            body, message_id=message_id, headers=headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        await self.channel.default_exchange.publish(message, queue)

    async def take(self, queue: str) -> AbstractIncomingMessage | None:
        """The next one; it is gone then."""
        source = await self.channel.get_queue(queue, ensure=False)
        return await source.get(no_ack=True, fail=False)

    async def drain(self, queue: str) -> list[AbstractIncomingMessage]:
        found = []
        while (message := await self.take(queue)) is not None:
            found.append(message)
        return found

    async def depth(self, queue: str) -> int:
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


@pytest.fixture
async def queues(rabbitmq_url: str) -> AsyncIterator[Queues]:
    """Those of all consumers, none of which runs; they are empty, before and after."""
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        await topology.declare(connection, QUEUES.values())
        names = [name for queue in QUEUES.values() for name in (queue.name, queue.dead)]
        purge = [(await channel.get_queue(name, ensure=False)).purge for name in names]
        await asyncio.gather(*(each() for each in purge))
        yield Queues(channel)
        await asyncio.gather(*(each() for each in purge))


Fill = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def fill(queues: Queues) -> Fill:
    """Puts as many dead letters into a queue; gives their ids, oldest first."""

    async def put(queue: str, count: int) -> list[str]:
        ids = [f"letter-{number}" for number in range(count)]
        for number, name in enumerate(ids):
            body = b'{"type": "thing.moved", "version": 1, "data": {"number": %d}}' % number
            headers = {"x-reason": f"reason {number}", "x-died": 1_767_323_045_000 + number, "x-attempt": number}
            await queues.put(f"{queue}.dead", body, name, **headers)
        return ids

    return put
