"""A connection that swallows everything without a reset: it is noticed, and a new one made."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from yarl import URL

from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.topology import Queue
from openmusic_testkit.vanishing import VanishingProxy
from openmusic_testkit.waiting import eventually

pytestmark = pytest.mark.usefixtures("disconnect")

Eventually = Callable[..., Awaitable[Any]]
Moved = Callable[[str], EventData]


@pytest.fixture
async def to_rabbitmq(rabbitmq_url: str) -> AsyncIterator[VanishingProxy]:
    async with VanishingProxy(URL(rabbitmq_url).port or 0).running() as proxy:
        yield proxy


@pytest.fixture
def vanishing_broker(rabbitmq_url: str, to_rabbitmq: VanishingProxy) -> Broker:
    return Broker(str(URL(rabbitmq_url).with_port(to_rabbitmq.port)))


async def test_events_are_published_again_after_the_way_to_rabbitmq_swallowed_them(
    vanishing_broker: Broker, to_rabbitmq: VanishingProxy, queue: Queue
) -> None:
    vanishing_broker.ensure_queue(queue)

    async def published() -> bool:
        try:
            await vanishing_broker.publish(b"{}", routing_key="thing.moved.v1", message_id="1")
        except Exception:
            return False
        return True

    async with vanishing_broker.running():
        await eventually(published)
        to_rabbitmq.vanish()
        assert not await published()
        await eventually(published)


async def test_what_a_vanished_consumer_had_in_hand_goes_to_the_next_connection(
    vanishing_broker: Broker, to_rabbitmq: VanishingProxy, queue: Queue, moved: Moved
) -> None:
    """RabbitMQ has to notice as well, or the message stays with the old one."""
    begun: list[str] = []
    go_on = asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        begun.append(envelope.id)
        await go_on.wait()

    vanishing_broker.consume(queue, handle)
    envelope = Envelope.of(moved("the shelf"), "thing-1", 1)
    async with vanishing_broker.running():
        await eventually(lambda: vanishing_broker.connected)
        body = envelope.model_dump_json(by_alias=True).encode()
        await vanishing_broker.publish(body, routing_key=envelope.routing_key, message_id=envelope.id)
        await eventually(lambda: begun == [envelope.id])
        to_rabbitmq.vanish()
        await eventually(lambda: begun == [envelope.id] * 2)
        go_on.set()
