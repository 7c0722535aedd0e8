"""A change of a song reaches those who keep copies before its client gets the answer."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web
from redis.asyncio import Redis

from openmusic_catalog.app import create_app
from openmusic_catalog.settings import Settings
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_testkit.peers import CREDENTIAL, FakePeer
from openmusic_testkit.serving import run_app

SONG = {"title": "Talk", "year": 2005, "genre": "Pop", "performer": "Coldplay"}


@dataclass
class PlaylistService(FakePeer):
    """As far as the catalogue calls it."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 200

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.put("/internal/read-copies/songs/{id}", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["X-Service-Credential"] == CREDENTIAL
        self.told.append((request.path, await request.json()))
        return web.json_response({"status": "success", "message": "ok"}, status=self.status)


@pytest.fixture
def playlist_service() -> PlaylistService:
    return PlaylistService()


@pytest.fixture
async def start(
    settings: Settings, playlist_service: PlaylistService
) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    async with playlist_service.serving(), AsyncExitStack() as stack:

        async def start_one(**changes: Any) -> httpx.AsyncClient:
            changes = {"playlist_url": playlist_service.url, **changes}
            return await stack.enter_async_context(run_app(create_app(settings.model_copy(update=changes))))

        yield start_one


@pytest.fixture
async def pending(settings: Settings) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """What is pending of a song: its version, and the change."""
    async with Redis(host=settings.redis_server, port=settings.redis_port) as redis:

        async def look(song_id: str) -> Any:
            seen = await PendingChanges(redis, "songs").look()
            assert seen is not None
            change = seen.changes.get(song_id)
            return change and (change.version, json.loads(change.content))

        yield look


async def added(client: httpx.AsyncClient) -> str:
    song_id: str = (await client.post("/songs", json=SONG)).json()["data"]["songId"]
    return song_id


async def test_a_change_is_pending_when_it_is_answered(start: Any, pending: Any, playlist_service: Any) -> None:
    client = await start()
    song_id = await added(client)
    assert await pending(song_id) is None  # no playlist can have it yet

    await client.put(f"/songs/{song_id}", json=SONG | {"title": "Talk 2"})
    song = {"title": "Talk 2", "performer": "Coldplay"}
    assert await pending(song_id) == (2, {"version": 2, "song": song})

    await client.delete(f"/songs/{song_id}")
    assert await pending(song_id) == (3, {"version": 3, "song": None})
    assert playlist_service.told == []


async def test_a_change_that_failed_is_not_pending(start: Any, pending: Any) -> None:
    client = await start()
    song_id = await added(client)

    assert (await client.put(f"/songs/{song_id}", json=SONG | {"albumId": "album-x"})).status_code == 404
    assert (await client.put("/songs/song-x", json=SONG)).status_code == 404

    assert await pending(song_id) is None
    assert await pending("song-x") is None


async def test_without_redis_the_playlist_service_is_told_before_the_answer(start: Any, playlist_service: Any) -> None:
    client = await start(redis_port=1)
    song_id = await added(client)
    path = f"/internal/read-copies/songs/{song_id}"

    assert (await client.put(f"/songs/{song_id}", json=SONG | {"title": "Talk 2"})).status_code == 200
    song = {"title": "Talk 2", "performer": "Coldplay"}
    assert playlist_service.told == [(path, {"version": 2, "song": song})]

    assert (await client.delete(f"/songs/{song_id}")).status_code == 200
    assert playlist_service.told[1:] == [(path, {"version": 3, "song": None})]


@pytest.mark.parametrize("changes", [{}, {"playlist_url": "http://127.0.0.1:1"}])
async def test_a_change_succeeds_when_nobody_can_be_told(start: Any, playlist_service: Any, changes: Any) -> None:
    playlist_service.status = 503
    client = await start(redis_port=1, **changes)
    song_id = await added(client)

    assert (await client.put(f"/songs/{song_id}", json=SONG | {"title": "Talk 2"})).status_code == 200
    assert (await client.get(f"/songs/{song_id}")).json()["data"]["song"]["title"] == "Talk 2"
