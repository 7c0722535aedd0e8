"""Real servers for the tests: started when a test first asks for one, stopped with the session.

The end-to-end tests get the whole stack, or one that runs elsewhere when OPENMUSIC_URL and OPENMUSIC_MAIL_URL name it.
Each worker of pytest-xdist has servers of its own, so that a test may stop them. Tests that share what is slow to start
run in one worker.
"""

import asyncio
import json
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
import pytest
from xdist.scheduler import LoadScopeScheduling

from openmusic_local.servers import objectstore, postgres, rabbitmq
from openmusic_local.stack import Stack
from openmusic_local.temporary import temporary_stack

WITH_THE_WHOLE_STACK = (("tests/access/", "tests/contract/"), ("tests/e2e/",))
"""Two times, as one worker would be busy with all of them for longer than the others with the rest."""

LONGEST = (
    "tests/access/",
    "tests/contract/",
    "tests/e2e/",
    "export-service/tests/test_smtp_interleavings.py",
    "deploy/operations/tests/",
    "playlist-service/tests/test_song_lookup_interleavings.py",
    "kit/tests/test_outbox.py",
    "export-service/tests/",
    "gateway/tests/test_edge",
    "gateway/tests/test_heads.py",
    "gateway/tests/test_gateway.py",
    "media-service/tests/test_images.py",
    "kit/tests/test_migrations.py",
    "media-service/tests/test_unused_covers.py",
    "auth-service/tests/test_keys.py",
    "kit/tests/test_messaging",
    "kit/tests/test_cache",
)
"""Run first, so that no worker begins one of them when the others have nothing left to do. The rest follows, files with
many tests first."""

START_WITHIN = 600
"""Seconds for a test of the whole stack: the first one waits until it has started, on a machine that may be busy."""

running_stack: Stack | None = None
"""Servers that already run, where one process starts them for many runs of pytest (the mutation run)."""


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


class _TogetherScheduling(LoadScopeScheduling):  # type: ignore[misc]  # ships no types
    """The tests of a file stay together, and so do those that use the same whole stack."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((str(folders) for folders in WITH_THE_WHOLE_STACK if path.startswith(folders)), path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # the order of collection counts
    return _TogetherScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (_rank(item.nodeid), -sizes[item.path], item.path))
    for item in items:
        if item.nodeid.startswith(sum(WITH_THE_WHOLE_STACK, ())) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(START_WITHIN))


def _rank(nodeid: str) -> int:
    return next((rank for rank, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))


@pytest.fixture(scope="session")
def test_stack() -> Iterator[Stack]:
    """A stack of the tests' own in which nothing runs yet: other ports, other data than ``make up``."""
    if running_stack:
        yield running_stack
        return
    with temporary_stack() as stack:
        yield stack


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
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """``OPENMUSIC_S3=host:port,access key,secret key`` names one that runs elsewhere."""
    if given := os.environ.get("OPENMUSIC_S3"):
        return S3Server(*given.split(","))
    test_stack: Stack = request.getfixturevalue("test_stack")
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

    async def next(self, routing_key: str | None = None, aggregate_id: str | None = None) -> dict[str, Any]:
        """The next event with that key and about that aggregate, within ten seconds; None stands for any."""
        async with asyncio.timeout(10):
            while True:
                message = await self._arrived.get()
                event: dict[str, Any] = json.loads(message.body)
                if routing_key in {None, message.routing_key} and aggregate_id in {None, event["aggregateId"]}:
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


class DeadLetters:
    """Puts messages into a queue past our own code, and tells why they died."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self._channel = channel

    async def put(self, queue: str, bodies: Mapping[str, bytes]) -> None:
        """Each under its name as the id."""
        for name, body in bodies.items():
            message = aio_pika.Message(body, message_id=name, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await self._channel.default_exchange.publish(message, queue)

    async def reasons(self, queue: str, names: Collection[str]) -> dict[str, str]:
        """By name, once all are among the dead of that queue; whatever else is there is passed over."""
        found: dict[str, str] = {}
        dead = await self._channel.get_queue(f"{queue}.dead")
        async with asyncio.timeout(30), dead.iterator(no_ack=True) as messages:
            async for message in messages:
                if message.message_id is not None and message.message_id in names:
                    found[message.message_id] = str(message.headers["x-reason"])
                    if len(found) == len(names):
                        break
        return found


@pytest.fixture
async def dead_letters(rabbitmq_url: str) -> AsyncIterator[DeadLetters]:
    async with await aio_pika.connect(rabbitmq_url) as connection:
        yield DeadLetters(await connection.channel())
