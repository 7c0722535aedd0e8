import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from redis.asyncio import Redis

from openmusic_catalog.__main__ import MIGRATIONS
from openmusic_catalog.app import create_app
from openmusic_catalog.settings import Settings
from openmusic_kit.database.database import connection_string
from openmusic_kit.database.migrations import migrate
from openmusic_kit.identity.token_verifier import TokenVerifier
from openmusic_testkit.peers import CREDENTIAL
from openmusic_testkit.serving import client_of
from openmusic_testkit.tokens import TokenIssuer
from openmusic_testkit.waiting import eventually

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"
ISSUER = TokenIssuer()


@pytest.fixture(scope="session")
def bearer() -> Callable[[str], dict[str, str]]:
    return ISSUER.bearer


@pytest.fixture(scope="session")
def settings(
    database_factory: Callable[[str], dict[str, Any]], redis_server: tuple[str, int], rabbitmq_url: str
) -> Settings:
    settings = Settings(
        **database_factory("catalog"),
        redis_server=redis_server[0],
        redis_port=redis_server[1],
        rabbitmq_server=rabbitmq_url,
        service_credential=CREDENTIAL,
        public_url="https://music.example",
    )
    migrate(settings, MIGRATIONS, "outbox", "cache", "deleted-users", "idempotency")
    return settings


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        app.state.token_verifier = TokenVerifier(ISSUER.publish, ISSUER.issuer, ISSUER.audience)
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[AsyncConnection[DictRow]]:
    async with await AsyncConnection.connect(
        connection_string(settings), autocommit=True, row_factory=dict_row
    ) as connection:
        await connection.execute("SET statement_timeout = 0")  # some tests store many rows at once
        yield connection


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    async with Redis(host=settings.redis_server, port=settings.redis_port) as redis:
        yield redis


@pytest.fixture
def add_album(client: httpx.AsyncClient) -> Callable[..., Any]:
    async def add(name: str = "Viva la Vida", year: int = 2008) -> str:
        answer = await client.post("/albums", json={"name": name, "year": year})
        assert answer.status_code == 201
        album_id: str = answer.json()["data"]["albumId"]
        return album_id

    return add


@pytest.fixture
def add_song(client: httpx.AsyncClient) -> Callable[..., Any]:
    async def add(**changes: Any) -> str:
        song = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay", "duration": 235} | changes
        answer = await client.post("/songs", json=song)
        assert answer.status_code == 201, answer.text
        song_id: str = answer.json()["data"]["songId"]
        return song_id

    return add


class Locks:
    """Lets requests meet at a lock that the test holds, so that a race takes the same course each time."""

    def __init__(self, settings: Settings, observer: AsyncConnection[DictRow]) -> None:
        self._conninfo = connection_string(settings)
        self._observer = observer
        self._waiting = 0

    @asynccontextmanager
    async def held(self, query: str, *parameters: str) -> AsyncIterator[None]:
        """Holds what the query locks."""
        async with await AsyncConnection.connect(self._conninfo) as connection:
            await connection.execute(query, parameters)  # type: ignore[arg-type]
            yield
            await connection.rollback()

    async def queue(self, *requests: Coroutine[Any, Any, httpx.Response]) -> list[asyncio.Task[httpx.Response]]:
        """Starts each request once those before it wait for a lock. The first of them is served first."""
        tasks = []
        for request in requests:
            tasks.append(asyncio.create_task(request))
            self._waiting += 1
            await self.waiting(self._waiting)
        return tasks

    async def waiting(self, number: int) -> None:
        """Returns when as many statements wait for locks."""
        self._waiting = number

        async def reached() -> bool:
            cursor = await self._observer.execute(
                "SELECT count(*) AS waiting FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            row = await cursor.fetchone()
            return row is not None and row["waiting"] == number

        await eventually(reached)


@pytest.fixture
async def locks(settings: Settings, connection: AsyncConnection[DictRow]) -> Locks:
    return Locks(settings, connection)


class Announced:
    """Events of the catalogue as they arrive at a queue of the real broker, each checked against its schema."""

    def __init__(self, listener: Any, client: httpx.AsyncClient) -> None:
        self._listener = listener
        self._client = client
        self._seen: list[dict[str, Any]] = []

    async def next(self, kind: str, aggregate_id: str) -> dict[str, Any]:
        event: dict[str, Any] = await self._listener.next(kind, aggregate_id)
        _check(event)
        return event

    async def about(self, aggregate_id: str) -> list[dict[str, Any]]:
        """All events about it until now: those that came before the event of a song that is added here."""
        song = {"title": "Marker", "year": 1, "genre": "g", "performer": "p"}
        marker = (await self._client.post("/songs", json=song)).json()["data"]["songId"]
        while not self._seen or self._seen[-1]["aggregateId"] != marker:
            event = await self._listener.next()
            _check(event)
            self._seen.append(event)
        return [event for event in self._seen if event["aggregateId"] == aggregate_id]

    async def kinds_about(self, aggregate_id: str) -> list[str]:
        return [_kind(event) for event in await self.about(aggregate_id)]


def _kind(event: dict[str, Any]) -> str:
    return f"{event['type']}.v{event['version']}"


def _check(event: dict[str, Any]) -> None:
    jsonschema.validate(event, json.loads((CONTRACTS / f"{_kind(event)}.schema.json").read_text()))


@pytest.fixture
async def events(listening: Any, client: httpx.AsyncClient) -> AsyncIterator[Announced]:
    async with listening() as listener:
        yield Announced(listener, client)
