import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext
from typing import Any

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiohttp import web
from aiosmtpd.smtp import SMTP
from fastapi import FastAPI
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from typer.testing import CliRunner, Result

from openmusic_export.__main__ import MIGRATIONS
from openmusic_export.app import create_app, create_worker
from openmusic_export.delivery import announcer
from openmusic_export.events import jobs_queue
from openmusic_export.exports import commands
from openmusic_export.settings import Settings, WorkerSettings
from openmusic_kit.database.database import connection_string
from openmusic_kit.database.migrations import migrate
from openmusic_kit.ids import new_id
from openmusic_kit.messaging import topology
from openmusic_testkit.peers import CREDENTIAL, FakePeer
from openmusic_testkit.serving import run_app
from openmusic_testkit.tokens import TokenIssuer

ISSUER = TokenIssuer()

Eventually = Callable[..., Awaitable[Any]]


@dataclass
class Neighbours(FakePeer):
    """The playlist service as far as this one asks it, and the issuer of tokens; both at one address."""

    playlists: dict[str, dict[str, Any]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    """Seconds until it answers."""
    garbled: set[str] = field(default_factory=set)
    """The kinds of things whose answers lack what they should have."""

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/internal/playlists/{id}/owner", self.answer_owner),
            web.get("/internal/playlists/{id}", self.answer_playlist),
        ]

    def add_playlist(self, owner: str, name: str = "Road trip", songs: int = 2) -> str:
        playlist_id = new_id("playlist")
        self.owners[playlist_id] = owner
        self.playlists[playlist_id] = {
            "id": playlist_id,
            "name": name,
            "songs": [
                {"id": new_id("song"), "title": f"Song № {number}", "performer": "Sigur Rós"} for number in range(songs)
            ],
        }
        return playlist_id

    async def answer_owner(self, request: web.Request) -> web.Response:
        owner = self.owners.get(request.match_info["id"])
        return self._answer(request, {"ownerId": owner} if owner else None)

    async def answer_playlist(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.slow)
        return self._answer(request, self.playlists.get(request.match_info["id"]))

    def _answer(self, request: web.Request, found: dict[str, Any] | None) -> web.Response:
        return self.reply(request, {} if "playlists" in self.garbled and found else found, "playlists")


@pytest.fixture
async def neighbours() -> AsyncIterator[Neighbours]:
    neighbours = Neighbours()
    async with neighbours.serving(ISSUER):
        yield neighbours


@dataclass
class MailServer:
    """A real SMTP server that can be told to refuse; it keeps what it accepted."""

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    """What it says to ``MAIL``, ``RCPT`` and ``DATA`` instead of taking them."""
    delay: float = 0.0
    """Seconds before it takes a mail."""
    late: float = 0.0
    """Seconds after it took a mail until it says so."""
    cuts: Callable[[int], bool] = lambda _: False
    """Whether it closes the connection instead of saying so, by the number of mails that it took before."""
    slow_to: str = ""
    """The address whose mails alone it is late with; all if there is none."""
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends being late."""
    busy: int = 0
    """Mails of which it has the content, and has not answered."""
    mails: list[EmailMessage] = field(default_factory=list)
    connections: int = 0
    secured: list[bool] = field(default_factory=list)
    """Of each mail, whether it came encrypted."""
    introduced: list[str] = field(default_factory=list)
    """Of each mail, the name that its sender gave itself."""

    async def handle_MAIL(  # noqa: N802 - the library calls it so
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if "MAIL" not in self.replies:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802 - the library calls it so
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if "RCPT" not in self.replies:
            envelope.rcpt_tos.append(address)
        return self.replies.get("RCPT", "250 OK")

    async def handle_DATA(  # noqa: N802 - the library calls it so
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        self.busy += 1
        try:
            return await self._take(server, session, envelope)
        finally:
            self.busy -= 1

    async def _take(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.sleep(self.delay)
        if "DATA" in self.replies:
            return self.replies["DATA"]
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        cut = self.cuts(len(self.mails))
        self.mails.append(mail)
        self.secured.append(session.ssl is not None)
        self.introduced.append(session.host_name)
        if cut:
            server.transport.abort()
        if self.slow_to in {"", mail["To"]}:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.hurry.wait(), self.late)
        return "250 OK"

    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]

    @asynccontextmanager
    async def listening(
        self, port: int = 0, ssl: SSLContext | None = None, **options: Any
    ) -> AsyncIterator["MailServer"]:
        def meet() -> SMTP:
            self.connections += 1
            return SMTP(self, hostname="mail.test", **options)

        server = await asyncio.get_running_loop().create_server(meet, "127.0.0.1", port, ssl=ssl)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    async with MailServer().listening() as server:
        yield server


@pytest.fixture(scope="session")
def bearer() -> Callable[[str], dict[str, str]]:
    return ISSUER.bearer


@pytest.fixture(scope="session")
def surroundings(database_factory: Callable[[str], dict[str, Any]], rabbitmq_url: str) -> dict[str, Any]:
    """The settings that the API and the worker share."""
    shared = {**database_factory("export"), "rabbitmq_server": rabbitmq_url, "service_credential": CREDENTIAL}
    migrate(Settings(**shared), MIGRATIONS, "outbox", "deleted-users", "idempotency")
    return shared


@pytest.fixture
def settings(surroundings: dict[str, Any], neighbours: Neighbours) -> Settings:
    return Settings(**surroundings, playlist_url=neighbours.url, auth_url=neighbours.url)


@pytest.fixture
def run_api(settings: Settings) -> Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]:
    """An API that runs, with some settings of its own, and a client of it."""

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with run_app(create_app(Settings(**{**settings.model_dump(), **changes}))) as client:
            yield client

    return run


@pytest.fixture
async def client(run_api: Callable[..., Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with run_api() as client:
        yield client


@pytest.fixture
def run_worker(
    surroundings: dict[str, Any], neighbours: Neighbours, mail_server: MailServer, queues: "Queues"
) -> Callable[..., AbstractAsyncContextManager[FastAPI]]:
    """A worker that runs, with some settings of its own."""
    assert queues.channel

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[FastAPI]:
        usual = {**surroundings, "playlist_url": neighbours.url, "smtp_port": mail_server.port}
        app = create_worker(WorkerSettings(**{**usual, **changes}))
        async with app.router.lifespan_context(app):
            yield app

    return run


@pytest.fixture
async def worker(run_worker: Callable[..., Any]) -> AsyncIterator[FastAPI]:
    async with run_worker() as app:
        yield app


@pytest.fixture
async def connection(surroundings: dict[str, Any]) -> AsyncIterator[AsyncConnection[DictRow]]:
    """A look at the database past our own code."""
    conninfo = connection_string(Settings(**surroundings))
    async with await AsyncConnection.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@dataclass
class Jobs:
    connection: AsyncConnection[DictRow]

    async def of(self, playlist_id: str) -> DictRow:
        """The one job of that playlist."""
        cursor = await self.connection.execute(
            "SELECT *, next_attempt_at > clock_timestamp() AS waits FROM export_jobs WHERE playlist_id = %(id)s",
            {"id": playlist_id},
        )
        (job,) = await cursor.fetchall()
        return job

    async def unannounced(self) -> int:
        """Events that the broker has not confirmed yet."""
        cursor = await self.connection.execute("SELECT count(*) AS events FROM outbox")
        row = await cursor.fetchone()
        assert row is not None
        return int(row["events"])

    async def count(self) -> int:
        cursor = await self.connection.execute("SELECT count(*) AS jobs FROM export_jobs")
        row = await cursor.fetchone()
        assert row is not None
        return int(row["jobs"])


@pytest.fixture
def jobs(connection: AsyncConnection[DictRow]) -> Jobs:
    return Jobs(connection)


@dataclass
class Clock:
    """The worker's time of jobs, which PostgreSQL keeps: it jumps when everything happened that long ago."""

    connection: AsyncConnection[DictRow]
    now: float = 0.0

    async def advance(self, seconds: float) -> None:
        self.now += seconds
        await self.connection.execute(
            """
            UPDATE export_jobs
            SET created_at = created_at - span, announced_at = announced_at - span, settled_at = settled_at - span,
                next_attempt_at = next_attempt_at - span, failing_since = failing_since - span
            FROM make_interval(secs => %(seconds)s) AS span
            """,
            {"seconds": seconds},
        )

    async def to_the_next_attempt(self) -> bool:
        """Whether there will be one."""
        cursor = await self.connection.execute(
            """
            SELECT extract(epoch FROM min(next_attempt_at) - clock_timestamp())::float AS seconds
            FROM export_jobs WHERE status = 'pending'
            """
        )
        row = await cursor.fetchone()
        assert row is not None
        if row["seconds"] is not None and row["seconds"] > 0:
            await self.advance(row["seconds"])
        return row["seconds"] is not None


@pytest.fixture
def clock(connection: AsyncConnection[DictRow], monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(announcer, "INTERVAL", 0.02)
    return Clock(connection)


@dataclass
class Queues:
    """A look at RabbitMQ past our own code."""

    channel: AbstractChannel
    broker: AbstractConnection

    async def depth(self, name: str) -> int:
        """The messages that wait there."""
        queue = await self.channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count or 0

    async def on_their_way(self) -> int:
        queue = jobs_queue()
        return sum([await self.depth(name) for name in (queue.name, *map(queue.retry_queue, queue.retry.delays))])

    async def empty(self) -> bool:
        return await self.on_their_way() == 0

    async def lose_everything(self) -> None:
        """As a RabbitMQ that comes back without its data."""
        queue = jobs_queue()
        for name in (queue.name, queue.dead, *map(queue.retry_queue, queue.retry.delays)):
            await self.channel.queue_delete(name)

    async def give_back(self, name: str) -> None:
        """The next message, as a worker that died with it in hand."""
        async with self.broker.channel() as channel:
            assert await (await channel.get_queue(name, ensure=False)).get()

    async def take(self, name: str) -> Any:
        """The next message, or None; it is gone then."""
        queue = await self.channel.get_queue(name, ensure=False)
        return await queue.get(no_ack=True, fail=False)

    async def put(self, message: dict[str, Any], queue: str = "export.jobs") -> None:
        body = json.dumps(message).encode()
        persistent = aio_pika.Message(body, message_id=message["id"], delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await self.channel.default_exchange.publish(persistent, queue)


@pytest.fixture
async def queues(rabbitmq_url: str, connection: AsyncConnection[DictRow]) -> AsyncIterator[Queues]:
    """All are there, and nothing of another test is on its way."""
    await connection.execute("TRUNCATE outbox, export_jobs")
    broker = await aio_pika.connect(rabbitmq_url)
    queue = jobs_queue()
    async with broker, broker.channel() as channel:
        await topology.declare(broker, [queue])
        for name in (queue.name, queue.dead, *map(queue.retry_queue, queue.retry.delays)):
            await (await channel.get_queue(name, ensure=False)).purge()
        yield Queues(channel, broker)


Export = Callable[..., Awaitable[None]]


@pytest.fixture
def export(client: httpx.AsyncClient, bearer: Callable[[str], dict[str, str]], neighbours: Neighbours) -> Export:
    """Requests an export as the owner does."""

    async def request(playlist_id: str, address: str = "listener@mail.test") -> None:
        headers = bearer(neighbours.owners[playlist_id])
        answer = await client.post(f"/export/playlists/{playlist_id}", json={"targetEmail": address}, headers=headers)
        assert answer.status_code == 201, answer.text

    return request


@pytest.fixture
def operate(surroundings: dict[str, Any]) -> Callable[..., Awaitable[Result]]:
    """Runs ``openmusic exports``."""
    runner = CliRunner(env={name.upper(): str(value) for name, value in surroundings.items()})

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(runner.invoke, commands.app, arguments)

    return run
