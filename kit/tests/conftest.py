import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from openmusic_kit.database.database import Database, open_database
from openmusic_kit.database.migrations import migrate
from openmusic_kit.messaging.events import EventData
from openmusic_kit.messaging.topology import Queue, RetrySchedule
from openmusic_kit.settings import DatabaseSettings

Eventually = Callable[..., Awaitable[Any]]


class ThingMoved(EventData):
    event_type: ClassVar[str] = "thing.moved"
    event_version: ClassVar[int] = 1

    to: str


@pytest.fixture
def moved() -> Callable[[str], EventData]:
    return lambda to: ThingMoved(to=to)


@pytest.fixture
def queue() -> Queue:
    """A queue of the test's own, with a short schedule."""
    return Queue(f"test.{uuid.uuid4().hex}", ("thing.moved.v1",), RetrySchedule((0.05, 0.3), give_up_after=1.5))


@pytest.fixture
def unwanted() -> EventData:
    """An event of a kind of its own, for which there is no queue."""

    class ThingLost(EventData):
        event_type: ClassVar[str] = f"thing.lost_{uuid.uuid4().hex}"
        event_version: ClassVar[int] = 1

    return ThingLost()


@pytest.fixture
def open_channel(rabbitmq_url: str) -> Callable[[], Any]:
    """A look at RabbitMQ past our own code."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[AbstractChannel]:
        connection = await aio_pika.connect(rabbitmq_url)
        async with connection, connection.channel() as channel:
            yield channel

    return opened


@pytest.fixture
async def take(open_channel: Callable[[], Any]) -> Callable[[str], Awaitable[Any]]:
    """The next message of a queue, or None; the message is gone then."""

    async def next_message(name: str) -> Any:
        async with open_channel() as channel:
            source = await channel.get_queue(name, ensure=False)
            return await source.get(no_ack=True, fail=False)

    return next_message


@pytest.fixture
async def disconnect(open_channel: Callable[[], Any], queue: Queue) -> AsyncIterator[None]:
    """Lets the test's queue get no more events.

    It is not deleted: deleting a quorum queue whose dead-letter worker is just starting can end dead-lettering on the
    whole node (seen with RabbitMQ 3.10.8: rabbit_fifo_dlx_worker crashes, and its supervisor gives up).
    """
    yield
    async with open_channel() as channel:
        main = await channel.get_queue(queue.name, ensure=False)
        for key in queue.routing_keys:
            await main.unbind("openmusic.events", key)


@pytest.fixture(scope="session")
def database_settings(
    database_factory: Callable[[str], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> DatabaseSettings:
    settings = DatabaseSettings(**database_factory("kit"))
    nothing: Path = tmp_path_factory.mktemp("migrations")
    migrate(settings, nothing, "outbox", "inbox", "cache")
    return settings


@pytest.fixture
async def database(database_settings: DatabaseSettings) -> AsyncIterator[Database]:
    async with open_database(database_settings) as database:
        async with database.read() as connection:
            await connection.execute("TRUNCATE outbox, inbox")
        yield database
