"""The file with all data of a user: pages of other services in one document, and none of it while one is away."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web

from openmusic_auth.app import create_app
from openmusic_auth.settings import Settings
from openmusic_kit.ids import new_id

SECTIONS = ("playlists", "collaborations", "activities", "likes", "exports")


@dataclass
class Peers:
    """The other services, all at one address."""

    url: str = ""
    pages: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    """By section. The ``after`` of a page is its number."""
    down: set[tuple[str, int]] = field(default_factory=set)
    """Sections and pages that are answered with 500."""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["X-Service-Credential"] == "the-shared-credential"
        section, number = request.match_info["section"], int(request.query.get("after", "0"))
        self.asked.append(request.match_info["id"])
        if (section, number) in self.down:
            return web.json_response({"status": "error", "message": "down"}, status=500)
        pages = self.pages.get(section, [[]])
        following = str(number + 1) if number + 1 < len(pages) else None
        return web.json_response({"status": "success", "data": {"items": pages[number], "next": following}})


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    peers = Peers()
    application = web.Application()
    application.router.add_get("/internal/users/{id}/data/{section}", peers.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peers.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield peers
    await runner.cleanup()


@pytest.fixture
async def client(settings: Settings, peers: Peers) -> AsyncIterator[httpx.AsyncClient]:
    urls = {"catalog_url": peers.url, "playlist_url": peers.url, "export_url": peers.url}
    app = create_app(settings.model_copy(update=urls))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://auth") as client,
    ):
        yield client


@pytest.fixture
async def user_id(register: Any, username: str) -> str:
    registered: str = await register(username)
    return registered


@pytest.fixture
async def headers(user_id: str, log_in: Callable[[str], Any], username: str) -> dict[str, str]:
    assert user_id
    return {"Authorization": f"Bearer {(await log_in(username))['accessToken']}"}


async def test_all_pages_of_all_services_make_one_document(
    client: httpx.AsyncClient, headers: dict[str, str], peers: Peers, user_id: str, username: str
) -> None:
    peers.pages = {
        "playlists": [[{"id": f"p{page}{number}", "name": "„Ü“"} for number in range(2)] for page in range(3)],
        "likes": [[{"id": "a"}], []],
    }

    answer = await client.get("/users/me/data", headers=headers)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{user_id}.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    data = answer.json()["data"]
    assert answer.json()["status"] == "success"
    assert data["user"] == {"id": user_id, "username": username, "fullname": "Chris Martin"}
    assert len(data["sessions"]) == 1
    assert [each["id"] for each in data["playlists"]] == ["p00", "p01", "p10", "p11", "p20", "p21"]
    assert data["playlists"][0]["name"] == "„Ü“"
    assert [data[name] for name in SECTIONS[1:]] == [[], [], [{"id": "a"}], []]
    assert set(peers.asked) == {user_id}


@pytest.mark.parametrize("section", SECTIONS)
async def test_while_a_service_is_away_there_is_no_file(
    client: httpx.AsyncClient, headers: dict[str, str], peers: Peers, section: str
) -> None:
    peers.down.add((section, 0))

    answer = await client.get("/users/me/data", headers=headers)

    assert (answer.status_code, answer.json()["status"]) == (503, "error")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_service_that_goes_away_in_between_leaves_no_complete_document(
    client: httpx.AsyncClient, headers: dict[str, str], peers: Peers
) -> None:
    peers.pages = {"likes": [[{"id": "a"}], [{"id": "b"}]]}
    peers.down.add(("likes", 1))

    received = b""
    with pytest.raises(Exception):  # noqa: B017 - the connection breaks; the kind depends on the transport
        async with client.stream("GET", "/users/me/data", headers=headers) as answer:
            async for piece in answer.aiter_bytes():
                received += piece

    with pytest.raises(json.JSONDecodeError):
        json.loads(received)


async def test_nobody_gets_the_file_of_another(client: httpx.AsyncClient, peers: Peers) -> None:
    for headers in ({}, {"Authorization": "Bearer x.y.z"}):
        assert (await client.get("/users/me/data", headers=headers)).status_code == 401
    assert (await client.get(f"/users/{new_id('user')}/data")).status_code == 404
    assert peers.asked == []
