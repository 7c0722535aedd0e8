import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import httpx
import pytest
from aiohttp import web
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from openmusic_kit.context import new_request_id
from openmusic_kit.database.database import connection_string
from openmusic_kit.database.migrations import migrate
from openmusic_kit.ids import new_id
from openmusic_playlist.__main__ import MIGRATIONS
from openmusic_playlist.app import create_app
from openmusic_playlist.settings import Settings
from openmusic_testkit.peers import CREDENTIAL, FakePeer
from openmusic_testkit.serving import run_app
from openmusic_testkit.tokens import TokenIssuer
from openmusic_testkit.waiting import eventually

ISSUER = TokenIssuer()

Eventually = Callable[..., Awaitable[Any]]


@dataclass
class Peers(FakePeer):
    """The services that own songs and users, as far as this one asks them; both at one address."""

    songs: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    wanted: list[int] = field(default_factory=list)
    """How many songs each request wanted to be matched."""
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when an answer about a song is ready but held back."""
    after_page: Callable[[], Awaitable[None]] | None = None
    """Runs when a page of songs was read, before it is answered."""
    let_go: asyncio.Event | None = None
    """When there is one, answers about songs are held back until it is set."""

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/internal/songs", self.answer_songs),
            web.get("/internal/users", self.answer_users),
            web.get("/internal/songs/by-ids", self.answer_songs_by_ids),
            web.post("/internal/songs/matches", self.answer_matches),
            web.get("/internal/songs/{id}", self.answer_song),
            web.get("/internal/users/{id}", self.answer_user),
        ]

    def release(self) -> None:
        if self.let_go is not None:
            self.let_go.set()

    def add_song(self, title: str = "Lost!", performer: str = "Coldplay") -> str:
        song_id = new_id("song")
        self.songs[song_id] = {"id": song_id, "title": title, "performer": performer, "version": 1}
        return song_id

    def rename(self, song_id: str, title: str) -> int:
        """The new version."""
        version: int = self.songs[song_id]["version"] + 1
        self.songs[song_id] |= {"title": title, "version": version}
        return version

    def hold_back(self) -> asyncio.Event:
        self.let_go = asyncio.Event()
        return self.let_go

    async def answer_song(self, request: web.Request) -> web.Response:
        song = self.songs.get(request.match_info["id"])
        return await self._held_back(self.reply(request, dict(song) if song else None, "songs"))

    async def answer_songs_by_ids(self, request: web.Request) -> web.Response:
        found = [dict(self.songs[song_id]) for song_id in request.query["ids"].split(",") if song_id in self.songs]
        return await self._held_back(self.reply(request, {"songs": found}, "songs"))

    async def answer_matches(self, request: web.Request) -> web.Response:
        """Letter case aside."""
        known = {(song["title"].lower(), song["performer"].lower()): song for song in reversed(self.songs.values())}
        wanted = (await request.json())["songs"]
        found = [known.get((each["title"].lower(), each["performer"].lower())) for each in wanted]
        self.wanted.append(len(wanted))
        return await self._held_back(self.reply(request, {"songs": found}, "songs"))

    async def _held_back(self, answer: web.Response) -> web.Response:
        if self.let_go is not None:
            self.holding.set()
            await self.let_go.wait()
        return answer

    async def answer_songs(self, request: web.Request) -> web.Response:
        page = [dict(self.songs[song_id]) for song_id in _page(request, self.songs)]
        answer = self.reply(request, {"songs": page}, "songs")
        if self.after_page is not None:
            await self.after_page()
        return answer

    async def answer_users(self, request: web.Request) -> web.Response:
        page = [{"id": user_id, "username": self.users[user_id]} for user_id in _page(request, self.users)]
        return self.reply(request, {"users": page}, "users")

    async def answer_user(self, request: web.Request) -> web.Response:
        user_id = request.match_info["id"]
        known = user_id in self.users
        return self.reply(request, {"id": user_id, "username": self.users[user_id]} if known else None, "users")


def _page(request: web.Request, ids: Iterable[str]) -> list[str]:
    behind = sorted(each for each in ids if each > request.query["after"])
    return behind[: int(request.query["limit"])]


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    peers = Peers()
    async with peers.serving(ISSUER):
        yield peers


@pytest.fixture(scope="session")
def base_settings(
    database_factory: Callable[[str], dict[str, Any]], redis_server: tuple[str, int], rabbitmq_url: str
) -> Settings:
    settings = Settings(
        **database_factory("playlist"),
        redis_server=redis_server[0],
        redis_port=redis_server[1],
        rabbitmq_server=rabbitmq_url,
        service_credential=CREDENTIAL,
    )
    migrate(settings, MIGRATIONS, "inbox", "outbox", "cache", "idempotency", "folding")
    return settings


@pytest.fixture
def settings(base_settings: Settings, peers: Peers) -> Settings:
    return base_settings.model_copy(update={"auth_url": peers.url, "catalog_url": peers.url})


@pytest.fixture
async def start(settings: Settings) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """Starts another copy of the service, perhaps with other settings, and gives a client of it."""
    async with AsyncExitStack() as stack:

        async def start_one(**changes: Any) -> httpx.AsyncClient:
            return await stack.enter_async_context(run_app(create_app(settings.model_copy(update=changes))))

        yield start_one


@pytest.fixture
async def client(start: Callable[..., Awaitable[httpx.AsyncClient]]) -> httpx.AsyncClient:
    return await start()


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[AsyncConnection[DictRow]]:
    async with await AsyncConnection.connect(
        connection_string(settings), autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


class Person:
    """A user with a token, who calls the service."""

    def __init__(self, client: httpx.AsyncClient, user_id: str, username: str) -> None:
        self.id = user_id
        self.username = username
        self.headers = ISSUER.bearer(user_id)
        self._client = client

    async def call(
        self, method: str, path: str, body: Any = None, *, through: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        return await (through or self._client).request(method, path, json=body, headers=self.headers)

    async def upload(self, path: str, content: bytes, media_type: str, **headers: str) -> httpx.Response:
        return await self._client.post(
            path, content=content, headers={**self.headers, "Content-Type": media_type, **headers}
        )

    async def add_playlist(self, name: str = "On the road") -> str:
        answer = await self.call("POST", "/playlists", {"name": name})
        assert answer.status_code == 201, answer.text
        playlist_id: str = answer.json()["data"]["playlistId"]
        return playlist_id

    async def add(self, playlist_id: str, song_id: str) -> int:
        return (await self.call("POST", f"/playlists/{playlist_id}/songs", {"songId": song_id})).status_code

    async def remove(self, playlist_id: str, song_id: str) -> int:
        return (await self.call("DELETE", f"/playlists/{playlist_id}/songs", {"songId": song_id})).status_code

    async def share(self, playlist_id: str, other: "Person") -> int:
        return (await self.call("POST", "/collaborations", {"playlistId": playlist_id, "userId": other.id})).status_code

    async def unshare(self, playlist_id: str, other: "Person") -> int:
        return (
            await self.call("DELETE", "/collaborations", {"playlistId": playlist_id, "userId": other.id})
        ).status_code

    async def read(self, playlist_id: str) -> tuple[list[str], bool]:
        """The titles, and whether the answer came from the cache."""
        answer = await self.call("GET", f"/playlists/{playlist_id}/songs")
        assert answer.status_code == 200, answer.text
        titles = [song["title"] for song in answer.json()["data"]["playlist"]["songs"]]
        return titles, answer.headers.get("X-Data-Source") == "cache"

    async def activities(self, playlist_id: str) -> list[dict[str, Any]]:
        answer = await self.call("GET", f"/playlists/{playlist_id}/activities")
        assert answer.status_code == 200, answer.text
        activities: list[dict[str, Any]] = answer.json()["data"]["activities"]
        return activities


@pytest.fixture
def person(client: httpx.AsyncClient, peers: Peers) -> Callable[[str], Person]:
    """Registers somebody at the owner of users."""

    def register(username: str) -> Person:
        user_id = new_id("user")
        peers.users[user_id] = username
        return Person(client, user_id, username)

    return register


@pytest.fixture
def alice(person: Callable[[str], Person]) -> Person:
    return person("alice")


@pytest.fixture
def bob(person: Callable[[str], Person]) -> Person:
    return person("bob")


class Events:
    """What the owners announce, sent through the real broker."""

    def __init__(self, exchange: aio_pika.abc.AbstractExchange, channel: aio_pika.abc.AbstractChannel) -> None:
        self._exchange = exchange
        self.channel = channel

    async def publish(self, kind: str, aggregate_id: str, sequence: int, data: Any, **changes: Any) -> str:
        """The id of the event, which is known to be in a queue."""
        event = {
            "id": new_request_id(),
            "type": kind,
            "version": 1,
            "aggregateId": aggregate_id,
            "sequence": sequence,
            "time": "2026-01-02T03:04:05Z",
            "requestId": new_request_id(),
            "data": data,
        } | changes
        await self.publish_as_it_is(event, f"{event['type']}.v{event['version']}")
        event_id: str = event["id"]
        return event_id

    async def publish_as_it_is(self, event: Any, routing_key: str) -> None:
        message = aio_pika.Message(json.dumps(event).encode(), message_id=event["id"])
        await self._exchange.publish(message, routing_key, mandatory=True)

    async def song(self, kind: str, song_id: str, sequence: int, title: str = "", performer: str = "Coldplay") -> str:
        data = {"songId": song_id} | ({} if kind == "deleted" else {"title": title, "performer": performer})
        return await self.publish(f"song.{kind}", song_id, sequence, data)


@pytest.fixture
async def events(rabbitmq_url: str, client: httpx.AsyncClient) -> AsyncIterator[Events]:
    async def listening() -> bool:
        up: bool = (await client.get("/health/ready")).json()["data"]["dependencies"]["rabbitmq"] == "up"
        return up

    await eventually(listening)
    async with await aio_pika.connect(rabbitmq_url) as broker:
        channel = await broker.channel(publisher_confirms=True, on_return_raises=True)
        yield Events(await channel.get_exchange("openmusic.events"), channel)


@pytest.fixture
def applied(connection: AsyncConnection[DictRow]) -> Callable[..., Awaitable[None]]:
    """Waits until all these events were applied."""

    async def wait(*event_ids: str, seconds: float = 20) -> None:
        async def all_known() -> bool:
            cursor = await connection.execute("SELECT 1 FROM inbox WHERE event_id = ANY(%s)", [list(event_ids)])
            return len(await cursor.fetchall()) == len(event_ids)

        await eventually(all_known, seconds)

    return wait


@pytest.fixture
def song_copy(connection: AsyncConnection[DictRow]) -> Callable[[str], Awaitable[DictRow | None]]:
    async def read(song_id: str) -> DictRow | None:
        """``{title, performer, version, deleted}`` or None."""
        cursor = await connection.execute(
            "SELECT title, performer, version, deleted FROM songs WHERE id = %s", [song_id]
        )
        return await cursor.fetchone()

    return read


@pytest.fixture
async def blocked(settings: Settings) -> AsyncIterator[Callable[[int], Callable[[], Awaitable[bool]]]]:
    """Whether so many statements of this database wait for a lock."""
    # Within a transaction PostgreSQL shows the same activity each time, so this is no connection that holds locks.
    async with await AsyncConnection.connect(connection_string(settings), autocommit=True) as observer:

        def at_least(number: int) -> Callable[[], Awaitable[bool]]:
            async def wait() -> bool:
                cursor = await observer.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                return len(await cursor.fetchall()) >= number

            return wait

        yield at_least
