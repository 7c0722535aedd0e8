import io
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from openmusic_testkit import plain_http

ALBUM = {"name": "Parachutes", "year": 2000}
SONG = {"title": "Yellow", "year": 2000, "genre": "Rock", "performer": "Coldplay"}
FEW, MANY = 3, 12  # things that last, and things of each kind that may be deleted


@dataclass(frozen=True)
class Something:
    """A user, and what is there: by operation or ``everywhere``, then by the names of the document."""

    token: str
    known: dict[str, dict[str, list[Any]]]


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("OPENMUSIC_URL")
    return given or str(request.getfixturevalue("stack").url)


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with plain_http.Client(base_url=url) as http:
        yield http


@pytest.fixture
def something(http: httpx.Client) -> Something:
    def created(path: str, json: Any = None, **more: Any) -> dict[str, str]:
        answer = http.post(path, json=json, **more)
        assert answer.status_code == 201, answer.text
        data: dict[str, str] = answer.json().get("data", {})
        return data

    def playlist() -> str:
        """With every song that lasts and some of the users, so that half of what is asked is there already."""
        playlist_id = created("/playlists", {"name": "Mine"}, headers=authorized)["playlistId"]
        for song_id in songs:
            created(f"/playlists/{playlist_id}/songs", {"songId": song_id}, headers=authorized)
        for user_id in others:
            created("/collaborations", {"playlistId": playlist_id, "userId": user_id}, headers=authorized)
        return playlist_id

    def registered(kind: str) -> tuple[str, dict[str, str]]:
        """The id of a new user, and what logs it in."""
        login = {"username": f"{kind}_{secrets.token_hex(6)}", "password": "secret"}
        return created("/users", login | {"fullname": kind.title()})["userId"], login

    def shared() -> list[str]:
        """Playlists of another user, which the user of the test may leave."""
        _, owner_login = registered("owner")
        owner = created("/authentications", owner_login)["accessToken"]
        headers = {"Authorization": f"Bearer {owner}"}
        found = [created("/playlists", {"name": "Theirs"}, headers=headers)["playlistId"] for _ in range(MANY)]
        for playlist_id in found:
            created("/collaborations", {"playlistId": playlist_id, "userId": me}, headers=headers)
        return found

    def covered() -> str:
        playlist_id = created("/playlists", {"name": "Covered"}, headers=authorized)["playlistId"]
        _upload(http, f"/playlists/{playlist_id}/cover", headers=authorized)
        return playlist_id

    def uploaded() -> str:
        upload = created(f"/albums/{albums[0]}/covers/uploads")
        sent = plain_http.post(upload["url"], data=upload["fields"], files={"file": _picture()})
        assert sent.status_code == 204, sent.text
        return upload["uploadId"]

    def liked(album_id: str) -> str:
        created(f"/albums/{album_id}/likes", headers=authorized)
        return album_id

    def made(count: int, path: str, body: dict[str, Any]) -> list[str]:
        return [next(iter(created(path, body).values())) for _ in range(count)]

    me, login = registered("fuzz")
    session = created("/authentications", login)
    token = session["accessToken"]
    authorized = {"Authorization": f"Bearer {token}"}
    _, leaving = registered("leaving")
    left = [created("/authentications", leaving)["refreshToken"] for _ in range(MANY)]
    others, more = ([registered("other")[0] for _ in range(count)] for count in (FEW, MANY))
    albums, songs = made(FEW, "/albums", ALBUM), made(FEW, "/songs", SONG)
    playlists = [playlist() for _ in range(FEW)]
    ordered = [playlist()]  # one from which no request deletes songs
    listed = http.get("/users/me/sessions", headers=authorized).json()["data"]["sessions"]
    ended = [each["id"] for each in listed]
    payload = {"targetEmail": "fuzz@mail.test"}
    exports = [created(f"/export/playlists/{each}", payload, headers=authorized)["exportId"] for each in playlists]
    cover = _cover_of(http, *made(1, "/albums", ALBUM))  # one that nobody replaces
    everywhere = {
        "album_id": albums,
        "albumId": albums,
        "song_id": songs,
        "songId": songs,
        "playlist_id": playlists,
        "playlistId": playlists,
        "export_id": exports,
        "user_id": others,
        "userId": others,
    }
    return Something(
        token,
        {
            "everywhere": everywhere,
            "POST /albums/{album_id}/covers/uploads/{upload_id}": {
                "album_id": albums[:1],
                "upload_id": [uploaded() for _ in range(MANY)],
            },
            "DELETE /albums/{album_id}": {"album_id": made(MANY, "/albums", ALBUM)},
            "DELETE /albums/{album_id}/likes": {"album_id": [liked(each) for each in made(MANY, "/albums", ALBUM)]},
            "POST /playlists/{playlist_id}/songs": {"songId": [*songs, *made(MANY, "/songs", SONG)]},
            "PUT /playlists/{playlist_id}/songs/order": {
                "playlist_id": ordered,
                "songId": songs[1:],
                "after": songs[:1],
            },
            "POST /playlists/{playlist_id}/songs/batch": {"songIds": [[each] for each in made(MANY, "/songs", SONG)]},
            "DELETE /playlists/{playlist_id}/songs/batch": {
                "playlist_id": [playlist() for _ in range(MANY)],
                "songIds": [[each] for each in songs],
            },
            "POST /collaborations": {"userId": [*others, *more]},
            "DELETE /songs/{song_id}": {"song_id": made(MANY, "/songs", SONG)},
            "DELETE /playlists/{playlist_id}/collaborators/me": {"playlist_id": shared()},
            "DELETE /playlists/{playlist_id}": {"playlist_id": [playlist() for _ in range(MANY)]},
            "DELETE /playlists/{playlist_id}/cover": {"playlist_id": [covered() for _ in range(MANY)]},
            "DELETE /authentications": {"refreshToken": left},
            "DELETE /users/me/sessions/{session_id}": {"session_id": ended},
            "DELETE /users/me": {"password": ["secret"]},
            "PUT /users/me/password": {"password": ["secret"], "newPassword": ["secret"]},
            "PUT /authentications": {"refreshToken": [session["refreshToken"]]},
            "POST /authentications": {name: [value] for name, value in login.items()},
            "GET /covers/{folder}/{file}": cover,
            "HEAD /covers/{folder}/{file}": cover,
        },
    )


def _cover_of(http: httpx.Client, album_id: str) -> dict[str, list[str]]:
    """The parts of its address."""
    path = _upload(http, f"/albums/{album_id}/covers")
    return {"folder": [album_id], "file": [path.rpartition("/")[2]]}


def _upload(http: httpx.Client, path: str, **more: Any) -> str:
    """Returns the path of the cover."""
    answer = http.post(path, files={"cover": ("cover.png", _picture(), "image/png")}, **more)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


@pytest.fixture
def environment(tmp_path: Path) -> Callable[[dict[str, Any]], dict[str, str]]:
    """For schemathesis; see ``knowledge.py``."""

    def write(there: dict[str, Any]) -> dict[str, str]:
        known = tmp_path / "known.json"
        known.write_text(json.dumps(there))
        return {
            "FUZZ_KNOWN": str(known),
            "FUZZ_ANSWERED": str(tmp_path / "answered"),
            "PYTHONPATH": str(Path(__file__).parent),
        }

    return write


def _picture() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(picture, "PNG")
    return picture.getvalue()
