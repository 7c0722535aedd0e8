"""Real servers for the tests: started when a test first asks for one, stopped with the session.

The end-to-end tests get the whole stack, or one that runs elsewhere when OPENMUSIC_URL and OPENMUSIC_MAIL_URL name it.
"""

import asyncio
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from openmusic_local.servers import objectstore, postgres, rabbitmq
from openmusic_local.settings import OUT_OF_REACH
from openmusic_local.stack import Stack, repository


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class MailSink:
    smtp_host: str
    smtp_port: int
    web_url: str


@dataclass(frozen=True)
class DatabaseServer:
    port: int
    password: str


@pytest.fixture(scope="session")
def test_stack() -> Iterator[Stack]:
    """A stack of the tests' own in which nothing runs yet: other ports, other data than ``make up``."""
    base = repository() / ".openmusic-test"
    base.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=base))
    folder.chmod(0o755)
    stack = Stack(folder, OUT_OF_REACH, preferred_ports={})
    yield stack
    stack.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(test_stack: Stack) -> Stack:
    """The whole of OpenMusic, for faults as well; skips when it runs elsewhere."""
    if "OPENMUSIC_URL" in os.environ:
        pytest.skip("needs a stack of its own: OPENMUSIC_URL names another")
    test_stack.start()
    return test_stack


@pytest.fixture(scope="session")
def postgres_server(test_stack: Stack) -> DatabaseServer:
    test_stack.start_servers("postgres")
    return DatabaseServer(test_stack.server_port("postgres"), test_stack.secret("postgres"))


@pytest.fixture(scope="session")
def database_factory(postgres_server: DatabaseServer) -> Callable[[str], dict[str, Any]]:
    """Makes an empty database with a role of its own; gives the settings to reach it."""

    def create(name: str) -> dict[str, Any]:
        database, password = f"test_{name}_{secrets.token_hex(4)}", secrets.token_hex(8)
        with postgres.connect(postgres_server.port, postgres_server.password) as connection:
            postgres.ensure_database(connection, database, password)
        return {
            "pghost": "127.0.0.1",
            "pgport": postgres_server.port,
            "pguser": database,
            "pgpassword": password,
            "pgdatabase": database,
        }

    return create


@pytest.fixture(scope="session")
def redis_server(test_stack: Stack) -> tuple[str, int]:
    test_stack.start_servers("redis")
    return "127.0.0.1", test_stack.server_port("redis")


@pytest.fixture(scope="session")
def rabbitmq_url(test_stack: Stack) -> str:
    """A virtual host that the end-to-end stack does not use."""
    test_stack.start_servers("rabbitmq")
    return rabbitmq.url(test_stack.server_port("rabbitmq"), test_stack.secret("rabbitmq"), "tests")


@pytest.fixture(scope="session")
def s3_server(test_stack: Stack) -> S3Server:
    test_stack.start_servers("objectstore")
    endpoint = f"127.0.0.1:{test_stack.server_port('objectstore')}"
    return S3Server(endpoint, objectstore.ACCESS_KEY, test_stack.secret("objectstore"))


@pytest.fixture(scope="session")
def mail_sink(test_stack: Stack) -> MailSink:
    test_stack.start_servers("mail")
    return MailSink("127.0.0.1", test_stack.server_port("smtp"), test_stack.mail_url)


class EventListener:
    """What is published on the exchange of all events, as it arrives at a queue of the real broker."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()

    async def take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        await self._arrived.put(message)

    async def next(self, routing_key: str, aggregate_id: str | None = None) -> dict[str, Any]:
        """The next event with that key (and about that aggregate), within ten seconds; others are passed over."""
        async with asyncio.timeout(10):
            while True:
                message = await self._arrived.get()
                event: dict[str, Any] = json.loads(message.body)
                if message.routing_key == routing_key and aggregate_id in {None, event["aggregateId"]}:
                    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
                    return event


@pytest.fixture
def listening(rabbitmq_url: str) -> Callable[[], Any]:
    """Opens a listener for all that is published from then on."""

    @asynccontextmanager
    async def listen() -> AsyncIterator[EventListener]:
        async with await aio_pika.connect(rabbitmq_url) as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange("openmusic.events", "topic", durable=True)
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(exchange, "#")
            listener = EventListener()
            await queue.consume(listener.take, no_ack=True)
            yield listener

    return listen


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """Waits until the (perhaps asynchronous) condition holds and returns what it gave."""

    async def wait(condition: Callable[[], Any], seconds: float = 20) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            found = await found if isinstance(found, Awaitable) else found
            if found:
                return found
            assert time.monotonic() < deadline, "it did not happen in time"
            await asyncio.sleep(0.02)

    return wait
