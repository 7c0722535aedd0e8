"""The dead letters of one consumer, where they lie. Whatever is done here, what was not settled goes back as it was."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, DeliveryError

from openmusic_kit.messaging.topology import Queue
from openmusic_operations.errors import BrokerAway, LetterMissing, QueueMissing
from openmusic_operations.letters import Letter, letter_id

EXAMPLE = "amqp://user:password@host:5672/"
TIMEOUT = 10.0  # seconds for each answer of RabbitMQ
RETURN_TIMEOUT = 3.0  # seconds until messages that were given back are there again
REPUBLISH_AFTER = 10
"""Deliveries after which messages are published again: RabbitMQ 4 silently drops one at its 21st delivery."""
OF_THE_BROKER = {"x-delivery-count", "x-acquired-count"}

Wanted = Callable[[AbstractIncomingMessage], bool]
Visit = Callable[[AbstractChannel, AbstractIncomingMessage], Awaitable[None]]


def with_id(wanted: str) -> Wanted:
    """There may be several with one id: a crash in the middle of a move leaves two rather than none."""
    return lambda message: letter_id(message) == wanted


def every(_: AbstractIncomingMessage) -> bool:
    return True


class DeadQueue:
    """``watching`` is a channel for counting, as each walk has one that it closes."""

    def __init__(self, connection: AbstractConnection, watching: AbstractChannel, queue: Queue) -> None:
        self._connection = connection
        self._watching = watching
        self._queue = queue
        self._settled = 0

    async def count(self) -> int:
        declared = await self._watching.declare_queue(self._queue.dead, passive=True, timeout=TIMEOUT)
        return declared.declaration_result.message_count or 0

    async def letters(self, limit: int) -> list[Letter]:
        """The oldest."""
        found: list[Letter] = []

        async def note(_: AbstractChannel, message: AbstractIncomingMessage) -> None:
            if len(found) < limit:
                found.append(Letter.of(message))

        await self._walk(note)
        return found

    async def find(self, wanted: str) -> list[Letter]:
        """All with that id. Raises LetterMissing."""
        found: list[Letter] = []
        is_wanted = with_id(wanted)

        async def note(_: AbstractChannel, message: AbstractIncomingMessage) -> None:
            if is_wanted(message):
                found.append(Letter.of(message))

        await self._walk(note)
        if not found:
            raise LetterMissing(f"{self._queue.dead} holds no message {wanted}")
        return found

    async def replay(self, wanted: Wanted) -> int:
        """Back to its consumer, as if it were new; how many. A letter goes only when RabbitMQ has it safely there."""

        async def send_back(channel: AbstractChannel, message: AbstractIncomingMessage) -> None:
            await self._publish(channel, _copy(message, keep_headers=False), self._queue.name)

        return await self._settle(wanted, send_back)

    async def discard(self, wanted: Wanted) -> int:
        async def leave(_: AbstractChannel, __: AbstractIncomingMessage) -> None:
            pass

        return await self._settle(wanted, leave)

    async def _settle(self, wanted: Wanted, first: Visit) -> int:
        async def settle(channel: AbstractChannel, message: AbstractIncomingMessage) -> None:
            if wanted(message):
                await first(channel, message)
                await message.ack()
                self._settled += 1

        await self._walk(settle)
        return self._settled

    async def _walk(self, visit: Visit) -> None:
        """Visits all that is there now, oldest first. What no visit settled goes back when the channel closes.

        It must be all: what was given back stands in the order in which it came back, so a part would be put behind
        the rest.
        """
        waiting, settled_before, expiring = await self.count(), self._settled, False
        async with self._open() as (channel, queue):
            for _ in range(waiting):
                message = await queue.get(fail=False, timeout=TIMEOUT)
                if message is None:
                    break
                await visit(channel, message)
                expiring = expiring or _deliveries(message) >= REPUBLISH_AFTER
        await self._wait_for_return(waiting - (self._settled - settled_before))
        if expiring:
            await self._republish()

    async def _wait_for_return(self, expected: int) -> None:
        """RabbitMQ does not confirm that messages are back; perhaps others took some meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETURN_TIMEOUT):
                while await self.count() < expected:  # noqa: ASYNC110 - there is nothing to be woken by
                    await asyncio.sleep(0.01)

    async def _republish(self) -> None:
        """Publishes every message again, oldest first, so that their order stays."""
        waiting = await self.count()
        async with self._open() as (channel, queue):
            for _ in range(waiting):
                message = await queue.get(fail=False, timeout=TIMEOUT)
                if message is None:
                    return
                await self._publish(channel, _copy(message, keep_headers=True), self._queue.dead)
                await message.ack()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[AbstractChannel, AbstractQueue]]:
        async with self._connection.channel(publisher_confirms=True, on_return_raises=True) as channel:
            yield channel, await channel.get_queue(self._queue.dead, ensure=False)

    async def _publish(self, channel: AbstractChannel, message: aio_pika.Message, queue: str) -> None:
        try:
            await channel.default_exchange.publish(message, queue, mandatory=True, timeout=TIMEOUT)
        except DeliveryError as error:
            raise QueueMissing(
                f"RabbitMQ did not take the message for {queue}, so it stays dead ({self._settled} were moved before)"
            ) from error


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Callable[[Queue], Awaitable[DeadQueue]]]:
    """Opens dead queues; each has a channel of its own. Raises BrokerAway, QueueMissing."""
    with _explained():
        connection = await _connect(url)
        async with connection:

            async def open_queue(queue: Queue) -> DeadQueue:
                watching = await connection.channel()
                try:
                    await watching.declare_queue(queue.dead, passive=True, timeout=TIMEOUT)
                except ChannelNotFoundEntity as error:
                    raise QueueMissing(f"RabbitMQ has no queue {queue.dead}: its consumer never ran") from error
                return DeadQueue(connection, watching, queue)

            yield open_queue


async def _connect(url: str) -> AbstractConnection:
    try:
        return await aio_pika.connect(url, timeout=TIMEOUT)
    except ValueError as error:
        raise BrokerAway(f"RABBITMQ_SERVER is not an address like {EXAMPLE}") from error


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (TimeoutError, AMQPError, OSError, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise BrokerAway(f"RabbitMQ does not answer: {error or type(error).__name__}") from error


def _deliveries(message: AbstractIncomingMessage) -> int:
    count = message.headers.get("x-delivery-count")
    return count if isinstance(count, int) else 0


def _copy(message: AbstractIncomingMessage, *, keep_headers: bool) -> aio_pika.Message:
    """Without the headers, nothing tells of earlier failures."""
    headers = {name: value for name, value in message.headers.items() if name not in OF_THE_BROKER}
    return aio_pika.Message(
        message.body,
        headers=headers if keep_headers else {},
        message_id=message.message_id,
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        timestamp=message.timestamp,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
