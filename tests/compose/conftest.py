"""The stack is started once for all tests here, and removed afterwards with its data."""

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import docker
import httpx
import pytest
from compose_stack import GATEWAYS, MAIL_PAGE, PICTURE, RECOVERY, Compose
from load import Crowd

from openmusic_testkit.waiting import wait_until


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    stack = Compose(docker.from_env())
    if "OPENMUSIC_KEEP" not in os.environ:
        stack.run("down", "--volumes")
    stack.run("build", "--quiet")
    stack.up()
    yield stack
    if "OPENMUSIC_KEEP" not in os.environ:
        stack.run("down", "--volumes")


@pytest.fixture(scope="session")
def http(compose: Compose) -> Iterator[httpx.Client]:
    del compose  # has to run
    with httpx.Client(base_url=GATEWAYS[0], timeout=30, trust_env=False) as client:
        yield client


def register(http: httpx.Client) -> dict[str, str]:
    """The headers of a new user."""
    name = f"user_{secrets.token_hex(6)}"
    user = {"username": name, "password": "secret", "fullname": "A User"}
    http.post("/users", json=user).raise_for_status()
    tokens = http.post("/authentications", json={"username": name, "password": "secret"}).raise_for_status().json()
    return {"Authorization": f"Bearer {tokens['data']['accessToken']}"}


@pytest.fixture(scope="session")
def user(http: httpx.Client) -> dict[str, str]:
    return register(http)


@pytest.fixture
def arrived() -> Callable[[str], list[str]]:
    """The ids of the messages that arrived at an address, as often as they did."""

    def at(address: str) -> list[str]:
        found = httpx.get(f"{MAIL_PAGE}/api/email", timeout=30, trust_env=False).raise_for_status().json()
        return [mail["headers"]["message-id"] for mail in found if address in _recipients(mail)]

    return at


def _recipients(mail: dict[str, Any]) -> list[str]:
    """None of a mail that was cut off when its server stopped; it was not taken, and is sent again."""
    return [each["address"] for each in mail["to"]]


@pytest.fixture
def mails(arrived: Callable[[str], list[str]]) -> Callable[[str], set[str]]:
    """The same, each once: a mail whose arrival was in doubt may have come again."""
    return lambda address: set(arrived(address))


@pytest.fixture
def crowd(user: dict[str, str], compose: Compose, mails: Any) -> Iterator[Crowd]:
    """Users at work during the test. After it, nothing they were promised may be missing, and all must be well."""
    with Crowd.of(6, GATEWAYS, user) as working:
        yield working
        working.goes_on()
    wait_until(compose.healthy, RECOVERY)
    for each in working.users:
        each.check_at_last()
    assert working.complaints == []
    for each in working.users:
        wait_until(lambda each=each: len(mails(each.address)) >= each.exported, 60)
        assert len(mails(each.address)) <= each.exported + each.exports_in_doubt


@pytest.fixture(scope="session")
def make_answers(http: httpx.Client) -> Callable[[], Callable[[], list[Any]]]:
    """Makes a user with data of every kind; gives a function that reads all of it anew, with a new login."""
    return lambda: _answers(http)


@pytest.fixture
def answers(make_answers: Callable[[], Callable[[], list[Any]]]) -> Callable[[], list[Any]]:
    return make_answers()


def _answers(http: httpx.Client) -> Callable[[], list[Any]]:
    name = f"user_{secrets.token_hex(6)}"
    login = {"username": name, "password": "secret"}

    def create(path: str, **options: Any) -> dict[str, Any]:
        body: dict[str, Any] = http.post(path, **options).raise_for_status().json()
        return dict(body.get("data") or {})

    def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {create('/authentications', json=login)['accessToken']}"}

    create("/users", json={**login, "fullname": "A User"})
    old = headers()
    album = f"/albums/{create('/albums', json={'name': 'X&Y', 'year': 2005})['albumId']}"
    create(f"{album}/covers", files={"cover": ("cover.png", PICTURE, "image/png")})
    create(f"{album}/likes", headers=old)
    song = {"title": "Talk", "year": 2005, "genre": "Pop", "performer": "Coldplay"}
    song_id = create("/songs", json=song)["songId"]
    playlist = f"/playlists/{create('/playlists', json={'name': 'Lasting'}, headers=old)['playlistId']}"
    create(f"{playlist}/songs", json={"songId": song_id}, headers=old)

    def read() -> list[Any]:
        new = headers()
        paths = [album, f"{album}/likes", f"/songs/{song_id}", "/playlists", f"{playlist}/songs"]
        paths.append(f"{playlist}/activities")
        bodies = [http.get(path, headers=each).raise_for_status().json() for path in paths for each in (new, old)]
        cover = bodies[0]["data"]["album"]["coverUrl"]
        return [*bodies, httpx.get(cover, trust_env=False).raise_for_status().content]

    return read
