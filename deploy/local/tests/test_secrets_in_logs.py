"""The whole story at the most talkative log level, with failures of every server: no log holds a secret."""

import base64
import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from PIL import Image

from openmusic_local.stack import Stack
from openmusic_local.temporary import temporary_stack
from openmusic_operations.system import GATEWAY, PROCESSES
from openmusic_testkit import plain_http
from openmusic_testkit.waiting import wait_until

SERVICES = [name for name in PROCESSES if name != GATEWAY]
SECRET_SETTINGS = {"SERVICE_CREDENTIAL", "SIGNING_KEY_SECRET", "PGPASSWORD", "RABBITMQ_SERVER", "S3_SECRET_KEY"}
SMTP_PASSWORD = f"smtp {secrets.token_hex(12)}"
RECIPIENT = f"recipient-{secrets.token_hex(12)}@example.com"


@pytest.fixture(scope="module")
def talkative(mail_server: tuple[Any, int]) -> Iterator[Stack]:
    mail_server[0].willing = False  # until the story has seen it
    settings = {
        "LOG_LEVEL": "DEBUG",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mail_server[1]),
        "SMTP_USER": "openmusic",
        "SMTP_PASSWORD": SMTP_PASSWORD,
        "SMTP_SECURITY": "none",
    }
    with temporary_stack(settings) as stack:
        stack.start()
        yield stack


class Story:
    """Does what people do, and remembers all that it said or was told in confidence."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.confidential: set[str] = set()

    def secret(self, kind: str) -> str:
        made = f"{kind}-{secrets.token_hex(12)}"
        self.confidential.add(made)
        return made

    def user(self) -> dict[str, str]:
        """Registers, logs in in several ways, and gives the header of who is logged in."""
        name, password = f"alice_{secrets.token_hex(4)}", self.secret("password")
        self._http.post("/users", json={"username": name, "password": password, "fullname": "Alice"})
        self._http.post("/users", json={"username": name, "password": self.secret("taken"), "fullname": "Alice"})
        self._http.post("/users", json={"username": 7, "password": self.secret("invalid"), "fullname": "Alice"})
        self._http.post("/authentications", json={"username": name, "password": self.secret("wrong")})
        self._http.post("/authentications", content=b'{"password": "%s"' % self.secret("broken").encode())
        tokens = self._http.post("/authentications", json={"username": name, "password": password}).json()["data"]
        renewed = self._http.put("/authentications", json={"refreshToken": tokens["refreshToken"]}).json()["data"]
        for token in (tokens["accessToken"], tokens["refreshToken"], renewed["accessToken"]):
            self.confidential |= {token, token.rpartition(".")[2]}  # of a signed token, its signature as well
        self._http.put("/authentications", json={"refreshToken": self.secret("forged")})
        self._http.request("DELETE", "/authentications", json={"refreshToken": self.secret("unknown")})
        self._http.get("/playlists", headers={"Authorization": f"Bearer {self.secret('bearer')}"})
        self._http.get("/internal/users/x", headers={"X-Service-Credential": self.secret("credential")})
        return {"Authorization": f"Bearer {tokens['accessToken']}"}

    def everything_else(self, user: dict[str, str]) -> list[str]:
        """Each thing that people do once; gives what was refused: the request and its answer."""
        picture = io.BytesIO()
        Image.new("RGB", (32, 32), "teal").save(picture, "PNG")
        refused: list[str] = []

        def call(method: str, path: str, **more: Any) -> dict[str, Any]:
            answer = self._http.request(method, path, headers=user, **more)
            if answer.status_code not in {200, 201}:
                refused.append(f"{method} {path}: {answer.status_code} {answer.text}")
            data: dict[str, Any] = answer.json().get("data", {})
            return data

        album = call("POST", "/albums", json={"name": "Parachutes", "year": 2000}).get("albumId", "album-none")
        song = {"title": "Yellow", "year": 2000, "genre": "Rock", "performer": "Coldplay"}
        song_id = call("POST", "/songs", json=song).get("songId", "song-none")
        call("POST", f"/albums/{album}/covers", files={"cover": ("a.png", picture.getvalue(), "image/png")})
        call("POST", f"/albums/{album}/likes")
        call("GET", f"/albums/{album}/likes")
        playlist = call("POST", "/playlists", json={"name": "For the road"}).get("playlistId", "playlist-none")
        call("POST", f"/playlists/{playlist}/songs", json={"songId": song_id})
        call("GET", f"/playlists/{playlist}/songs")
        call("POST", f"/export/playlists/{playlist}", json={"targetEmail": RECIPIENT})
        return refused


def _forms(secret: str) -> set[bytes]:
    """As it is, as in an address, and as SMTP and HTTP send it."""
    plain = secret.encode()
    login = base64.b64encode(b"\0openmusic\0" + plain)
    return {plain, quote(secret, safe="").encode(), base64.b64encode(plain), login, json.dumps(secret).encode()[1:-1]}


@pytest.mark.timeout(300)  # seconds; a whole stack, whose servers all stop once
def test_no_log_holds_a_secret_whatever_fails(talkative: Stack, mail_server: tuple[Any, int]) -> None:
    stack, (server, _) = talkative, mail_server
    with plain_http.Client(base_url=stack.url, timeout=40) as http:
        story = Story(http)
        user = story.user()
        assert story.everything_else(user) == []
        wait_until(lambda: server.logins, 40)  # the mail server turned the login down
        server.willing = True
        wait_until(lambda: server.mails, 60)

        stopped = ("rabbitmq", "redis", "objectstore", "postgres")
        for name in stopped:
            stack.stop_process(name)
            story.everything_else(user)
        for name in SERVICES:  # they start again while nothing is there that they need
            stack.kill(name)
        wait_until(lambda: all(_complains(stack.log(name)) for name in SERVICES), 60)
        for name in reversed(stopped):
            stack.start_process(name)
        wait_until(lambda: http.get("/health/ready").status_code == 200, 60)
        wait_until(lambda: not story.everything_else(story.user()), 60)

    known = {value for name in PROCESSES for key, value in stack.environment(name).items() if key in SECRET_SETTINGS}
    known |= set(json.loads((stack.folder / "secrets.json").read_text()).values())
    known |= {SMTP_PASSWORD, *story.confidential}
    logs = {path: path.read_bytes() for path in (stack.folder / "log").rglob("*") if path.is_file()}
    assert {name for name in PROCESSES if b'"DEBUG"' in logs[stack.log(name)]} >= {*SERVICES}
    found = [
        (path.name, secret) for secret in known for path, log in logs.items() for form in _forms(secret) if form in log
    ]
    assert not found
    local_part = RECIPIENT.partition("@")[0].encode()
    assert [name for name in PROCESSES if local_part in logs[stack.log(name)]] == []


def _complains(log: Path) -> bool:
    text = log.read_bytes()
    return b'"WARNING"' in text or b'"ERROR"' in text
