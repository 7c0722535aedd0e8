"""Events over RabbitMQ: confirmed publishing, and consumers that lose nothing and are blocked by nothing.

A message is acknowledged after its handler returned. The message of a handler that fails waits in
``<queue>.retry.<milliseconds>``, from which RabbitMQ returns it; one that can never succeed ends in ``<queue>.dead``,
with the reason in its headers.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import aiormq
from aio_pika import RobustConnection
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage
from prometheus_client.core import GaugeMetricFamily, Metric
from yarl import URL

from openmusic_kit import tasks
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging import topology
from openmusic_kit.messaging.consumer import Consumer, Handler
from openmusic_kit.messaging.subscription import S, Subscription
from openmusic_kit.messaging.topology import EXCHANGE, Queue

logger = logging.getLogger(__name__)

HEARTBEAT = 3
"""Seconds. RabbitMQ closes a connection that was silent for twice this time, and delivers again what it had in hand; an
event loop may stand still for that long. Each side sends something twice in that time (ADR 0037)."""
aiormq.Connection.HEARTBEAT_GRACE_MULTIPLIER = 1.5  # type: ignore[assignment]  # 6 s of silence: (HEARTBEAT + 1) * 1.5
CONNECT_TIMEOUT = 5.0  # seconds
DECLARE_TIMEOUT = 10.0  # seconds
PUBLISH_TIMEOUT = 5.0  # seconds to wait for the broker's confirmation
RETRY_INTERVAL = 0.5  # seconds
DECLARE_INTERVAL = 15.0  # seconds after which a queue that somebody deleted is back


async def _undecoded(message: RabbitMessage) -> RabbitMessage:
    """Hands the whole message to the handler: what is malformed is ours to dead-letter, not the library's to drop."""
    return message


class Broker:
    """One connection to RabbitMQ. It is made in the background and made again whenever it is lost.

    ``grace`` is how many seconds handlers in flight get at the end.
    """

    def __init__(self, url: str, grace: float = 10.0) -> None:
        self._grace = grace
        self._topology_dirty = asyncio.Event()
        self._must_reconnect = False
        self._url = str(URL(url).update_query(heartbeat=HEARTBEAT))
        self._broker = RabbitBroker(
            self._url,
            timeout=CONNECT_TIMEOUT,
            reconnect_interval=RETRY_INTERVAL,
            on_close=[lambda *_: self._lost()],
            on_reconnected=[lambda *_: self._topology_dirty.set()],
            graceful_timeout=grace,
            default_channel=Channel(on_return_raises=True),
            ack_policy=AckPolicy.MANUAL,
            decoder=_undecoded,
            apply_types=False,
            logger=logger,
            log_level=logging.DEBUG,
        )
        self._queues: list[Queue] = []
        self._consumers: list[Consumer] = []
        self._connected = False

    def ensure_queue(self, queue: Queue) -> None:
        """Has the queue declared, even if its consumer never ran, so that nothing meant for it is dropped."""
        if queue not in self._queues:
            self._queues.append(queue)

    def subscribe(self, subscription: Subscription[S], service: S) -> None:
        """Call this before :meth:`running`."""
        self.consume(subscription.queue, subscription.bind(service), subscription.prefetch)

    def consume(self, queue: Queue, handler: Handler, prefetch: int = 20) -> None:
        """Hands every message of the queue to the handler."""
        self.ensure_queue(queue)
        consumer = Consumer(queue, handler, self._send)
        self._consumers.append(consumer)
        self._broker.subscriber(
            topology.main_queue(queue),
            channel=Channel(prefetch_count=prefetch),
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
        )(consumer.consume)

    @property
    def connected(self) -> bool:
        """Whether it makes sense to publish: there is a connection, and every queue is in its place."""
        return self._connected

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        keeping = asyncio.create_task(self._keep_connected(), name="broker")
        try:
            yield
        finally:
            await tasks.stop(keeping)
            await self._stop()

    async def ping(self) -> None:
        """Raises Unavailable unless the broker can be used."""
        if not self._connected or not await self._broker.ping(timeout=1.0):
            raise Unavailable("The broker is not available")

    async def log_in(self) -> None:
        """Raises when a new connection cannot be made."""
        connection = await aiormq.connect(self._url)
        await connection.close()

    async def waiting(self, queue: Queue) -> int:
        """How many messages wait in the queue for a consumer. Raises whatever keeps it from knowing."""
        if not self._connected:
            raise Unavailable("The broker is not available")
        try:
            with _loss_of_connection_as_error():
                async with asyncio.timeout(DECLARE_TIMEOUT):
                    return (await topology.depths(await self._connect(), queue.name))[queue.name]
        except Exception:
            self._topology_dirty.set()  # perhaps for want of the queue
            raise

    async def metrics(self) -> list[Metric]:
        """The depth of each queue that is consumed here. Raises whatever keeps it from knowing."""
        messages = GaugeMetricFamily(
            "openmusic_queue_messages", "Messages that no consumer has in hand, dead letters included", labels=["queue"]
        )
        with _loss_of_connection_as_error():
            for consumer in self._consumers if self._connected else ():
                names = (consumer.queue.name, consumer.queue.dead)
                for name, count in (await topology.depths(await self._connect(), *names)).items():
                    messages.add_metric([name], count)
        return [messages]

    async def publish(self, body: bytes, *, routing_key: str, message_id: str) -> None:
        """Returns once a queue has the message safely. Raises whatever keeps it from that.

        That is aio_pika's DeliveryError when no queue wants it, or one that does cannot take it.
        """
        await self._send(body, exchange=EXCHANGE, routing_key=routing_key, message_id=message_id)

    async def _send(self, body: bytes, **options: Any) -> None:
        """Always mandatory: a broker that came back empty would confirm what goes to no queue (ADR 0017)."""
        if not self._connected:
            raise Unavailable("The broker is not available")
        try:
            with _loss_of_connection_as_error():
                async with asyncio.timeout(PUBLISH_TIMEOUT):
                    await self._broker.publish(
                        body, content_type="application/json", persist=True, mandatory=True, **options
                    )
        except Exception:
            self._topology_dirty.set()  # perhaps for want of a queue
            raise

    async def _keep_connected(self) -> None:
        warned = False
        while True:
            self._topology_dirty.clear()
            try:
                with _loss_of_connection_as_error():
                    await self._complete()
            except Exception as error:  # whatever it is, without a broker we go on trying
                if not warned:
                    logger.warning("broker is not available", extra={"error": repr(error)})
                warned = True
                await asyncio.sleep(RETRY_INTERVAL)
                continue
            if warned:
                logger.info("broker is available again")
            warned = False
            with suppress(TimeoutError):
                async with asyncio.timeout(DECLARE_INTERVAL):
                    await self._topology_dirty.wait()

    async def _complete(self) -> None:
        """Connects if need be, and puts into its place what is missing there."""
        if self._must_reconnect:
            await self._stop()
            self._must_reconnect = False
        try:
            async with asyncio.timeout(DECLARE_TIMEOUT):
                connection = await self._connect()
                consumers = await topology.declare(connection, self._queues)
                await self._broker.declare_exchange(EXCHANGE)
                self._connected = True
                if not self._broker.running:
                    await self._broker.start()
                elif not all(consumers[consumer.queue.name] for consumer in self._consumers):
                    self._cancelled()
                await self._listen_for_cancellations()
        except BaseException:
            self._connected = False
            if not self._broker.running:
                await self._stop()
            raise

    async def _listen_for_cancellations(self) -> None:
        for consumer in self._consumers:
            queue = await self._broker.declare_queue(topology.main_queue(consumer.queue))  # known already: asks nobody
            channel = await queue.channel.get_underlay_channel()
            channel.on_consumer_cancel_callbacks.add(self._cancelled)

    def _cancelled(self, *_: object) -> None:
        """A queue was deleted under its consumer, of which RabbitMQ tells most of the time.

        The library consumes again at once on the same channel, where RabbitMQ may still be burying the old queue and
        then delivers nothing from the new one, ever. A connection made anew starts clean.
        """
        self._must_reconnect = True
        self._topology_dirty.set()

    async def _connect(self) -> RobustConnection:
        """Sees an attempt through even when it is no longer wanted: the library does not take a cancellation."""
        connecting = asyncio.ensure_future(self._broker.connect())
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await asyncio.wait([connecting], timeout=CONNECT_TIMEOUT)
            raise

    def _lost(self) -> None:
        self._connected = False

    async def _stop(self) -> None:
        """Takes no more messages, lets the handlers in flight finish, and leaves the rest to be delivered again."""
        with suppress(Exception):  # the connection may be gone already, and nothing is lost with it
            async with asyncio.timeout(self._grace + CONNECT_TIMEOUT):
                await self._broker.stop()
        self._connected = False
        for consumer in self._consumers:
            await consumer.abandon()


@contextmanager
def _loss_of_connection_as_error() -> Iterator[None]:
    """The library cancels whoever waits for an answer when the connection is lost; nobody asked this task to end."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("The broker went away") from error
