import io
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from PIL import Image
from promises import NotTried

from openmusic_testkit import plain_http

DEADLINE = 20.0  # seconds for what happens behind the answer


@dataclass(frozen=True)
class User:
    id: str
    username: str
    headers: dict[str, str]
    refresh_token: str


class Client:
    """What a REST client does, through the gateway."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def call(self, method: str, path: str, json: Any = None, user: User | None = None, **more: Any) -> httpx.Response:
        headers = {**(user.headers if user else {}), **more.pop("headers", {})}
        if json is not None:
            more["json"] = json
        return self.http.request(method, path, headers=headers, **more)

    def created(self, path: str, json: Any, user: User | None = None) -> Any:
        """The data of a 201."""
        return self.made(self.call("POST", path, json, user)).json().get("data")

    def made(self, answer: httpx.Response) -> httpx.Response:
        """The same answer, which must be that of a success which made something."""
        if answer.status_code != 201:
            request = answer.request
            raise NotTried(f"{request.method} {request.url.path} is answered with {answer.status_code}: {answer.text}")
        body = answer.json()
        assert body["status"] == "success"
        assert isinstance(body["message"], str)
        assert body["message"]
        return answer

    def register(self, prefix: str = "user") -> User:
        username = f"{prefix}_{secrets.token_hex(6)}"
        user_id = self.created("/users", {"username": username, "password": "secret", "fullname": "A User"})["userId"]
        tokens = self.created("/authentications", {"username": username, "password": "secret"})
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        return User(user_id, username, headers, tokens["refreshToken"])

    def album(self, name: str = "Viva la Vida", year: int = 2008) -> str:
        album_id: str = self.created("/albums", {"name": name, "year": year})["albumId"]
        return album_id

    def song(self, title: str = "Lost!", **more: Any) -> str:
        song = {"title": title, "year": 2008, "genre": "Pop", "performer": "Coldplay", **more}
        song_id: str = self.created("/songs", song)["songId"]
        return song_id

    def playlist(self, user: User, name: str = "Road trip") -> str:
        playlist_id: str = self.created("/playlists", {"name": name}, user)["playlistId"]
        return playlist_id

    def add(self, playlist_id: str, song_id: str, user: User) -> None:
        self.created(f"/playlists/{playlist_id}/songs", {"songId": song_id}, user)

    def share(self, playlist_id: str, owner: User, friend: User) -> str:
        payload = {"playlistId": playlist_id, "userId": friend.id}
        collaboration_id: str = self.created("/collaborations", payload, owner)["collaborationId"]
        return collaboration_id

    def songs_in(self, playlist_id: str, user: User) -> list[dict[str, str]]:
        answer = self.call("GET", f"/playlists/{playlist_id}/songs", user=user)
        assert answer.status_code == 200, answer.text
        songs: list[dict[str, str]] = answer.json()["data"]["playlist"]["songs"]
        return songs

    def upload(self, album_id: str, content: bytes, name: str = "cover.png", kind: str = "image/png") -> httpx.Response:
        return self.http.post(f"/albums/{album_id}/covers", files={"cover": (name, content, kind)})

    def begin_upload(self, album_id: str) -> httpx.Response:
        answer = self.call("POST", f"/albums/{album_id}/covers/uploads")
        if answer.status_code == 404 and "OPENMUSIC_URL" in os.environ:
            pytest.skip("needs S3_PUBLIC_ENDPOINT: clients cannot reach the storage of this installation")
        return answer

    def send_to_storage(self, album_id: str, content: bytes) -> str:
        """The id of a direct upload that is there, to be completed."""
        form = self.made(self.begin_upload(album_id)).json()["data"]
        sent = plain_http.post(form["url"], data=form["fields"], files={"file": ("cover.png", content, "image/png")})
        if sent.status_code != 204:
            raise NotTried(f"the storage answers {sent.status_code}: {sent.text}")
        return str(form["uploadId"])


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("OPENMUSIC_URL")
    return given or str(request.getfixturevalue("stack").url)


@pytest.fixture(scope="session")
def mail_url(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("OPENMUSIC_MAIL_URL")
    if not given and "OPENMUSIC_URL" in os.environ:
        pytest.skip("needs the mail box: OPENMUSIC_MAIL_URL names it")
    return given or str(request.getfixturevalue("stack").mail_url)


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[Client]:
    with plain_http.Client(
        base_url=url, verify=url.startswith("https:"), event_hooks={"response": [_notice_limits]}
    ) as http:
        yield Client(http)


def _notice_limits(answer: httpx.Response) -> None:
    """No test asks for more than an installation allows by default, but several runs of them may."""
    if answer.status_code == 429:
        answer.read()
        raise NotTried(f"{answer.request.method} {answer.request.url.path} is limited now: {answer.text}")


@pytest.fixture(scope="session")
def alice(client: Client) -> User:
    return client.register("alice")


@pytest.fixture(scope="session")
def bob(client: Client) -> User:
    return client.register("bob")


@pytest.fixture(scope="session")
def stranger(client: Client) -> User:
    return client.register("stranger")


@pytest.fixture
def mails(mail_url: str) -> Callable[[str], list[dict[str, Any]]]:
    """The mails that arrived at an address."""

    def to(address: str) -> list[dict[str, Any]]:
        found = plain_http.get(f"{mail_url}/api/email").json()
        return [mail for mail in found if any(each["address"] == address for each in mail["to"])]

    return to


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    def draw(kind: str = "PNG", colour: str = "teal", size: tuple[int, int] = (64, 64), **options: Any) -> bytes:
        target = io.BytesIO()
        Image.new("RGB", size, colour).save(target, kind, **options)
        return target.getvalue()

    return draw
