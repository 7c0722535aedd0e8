"""What is made is answered with 201, its id and its path."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from openmusic_gateway.routes import ROUTES


class Made(NamedTuple):
    """What a POST answers: the key of the id in ``data``, and the path in ``Location``."""

    path: str
    body: dict[str, Any] | None
    id_key: str | None
    location: str


SONG = {"title": "Talk", "year": 2005, "genre": "Rock", "performer": "Coldplay"}
MADE = {
    "/albums": Made("/albums", {"name": "X&Y", "year": 2005}, "albumId", "/albums/{id}"),
    "/albums/{id}/covers": Made("/albums/{album}/covers", None, None, r"/covers/{album}/[0-9a-f-]+\.png"),
    "/albums/{id}/covers/uploads": Made(
        "/albums/{album}/covers/uploads", None, "uploadId", "/albums/{album}/covers/uploads/{id}"
    ),
    "/albums/{id}/covers/uploads/{upload}": Made(
        "/albums/{album}/covers/uploads/{upload}", None, None, r"/covers/{album}/[0-9a-f-]+\.png"
    ),
    "/albums/{id}/likes": Made("/albums/{album}/likes", None, None, "/albums/{album}/likes"),
    "/songs": Made("/songs", SONG, "songId", "/songs/{id}"),
    "/users": Made(
        "/users", {"username": "{login}", "password": "secret", "fullname": "A User"}, "userId", "/users/{id}"
    ),
    "/authentications": Made(
        "/authentications", {"username": "{user}", "password": "secret"}, None, "/users/me/sessions"
    ),
    "/playlists": Made("/playlists", {"name": "Mine"}, "playlistId", "/playlists/{id}"),
    "/playlists/import": Made(
        "/playlists/import", {"playlist": {"songs": [{"id": "{song}"}]}}, "playlistId", "/playlists/{id}"
    ),
    "/playlists/{id}/songs": Made(
        "/playlists/{playlist}/songs", {"songId": "{song}"}, None, "/playlists/{playlist}/songs"
    ),
    "/playlists/{id}/songs/batch": Made(
        "/playlists/{playlist}/songs/batch", {"songIds": ["{song}"]}, None, "/playlists/{playlist}/songs"
    ),
    "/playlists/{id}/cover": Made("/playlists/{playlist}/cover", None, None, r"/covers/{playlist}/[0-9a-f-]+\.png"),
    "/playlists/{id}/copy": Made("/playlists/{playlist}/copy", None, "playlistId", "/playlists/{id}"),
    "/collaborations": Made(
        "/collaborations",
        {"playlistId": "{playlist}", "userId": "{friend}"},
        "collaborationId",
        "/playlists/{playlist}/collaborators",
    ),
    "/export/playlists/{id}": Made(
        "/export/playlists/{playlist}", {"targetEmail": "made@mail.test"}, "exportId", "/export/{id}"
    ),
}


class Things(dict[str, str]):
    """Makes what a request names when it is named."""

    def __init__(self, makers: dict[str, Callable[[], str]]) -> None:
        super().__init__()
        self._makers = makers

    def __missing__(self, kind: str) -> str:
        self[kind] = self._makers[kind]()
        return self[kind]

    def name_in(self, part: Any) -> Any:
        """The same with the names of things in place of their kinds."""
        if isinstance(part, dict):
            return {key: self.name_in(value) for key, value in part.items()}
        if isinstance(part, list):
            return [self.name_in(value) for value in part]
        return part.format_map(self) if isinstance(part, str) else part


@pytest.fixture
def things(client: Any, alice: Any, bob: Any, picture: Callable[..., bytes]) -> Things:
    things = Things(
        {
            "album": client.album,
            "upload": lambda: client.send_to_storage(things["album"], picture()),
            "song": client.song,
            "playlist": lambda: client.playlist(alice),
            "user": lambda: str(alice.username),
            "friend": lambda: str(bob.id),
            "login": lambda: f"{alice.username}_made",
        }
    )
    return things


@pytest.mark.parametrize("route", MADE)
def test_what_is_made_is_answered_with_201_its_id_and_where_it_is(
    client: Any, alice: Any, picture: Callable[..., bytes], things: Things, route: str
) -> None:
    made = MADE[route]
    path, body = things.name_in(made.path), things.name_in(made.body)

    if route.endswith("/uploads"):
        answer = client.begin_upload(things["album"])
    elif route.endswith(("/cover", "/covers")):
        answer = client.http.post(path, files={"cover": ("cover.png", picture(), "image/png")}, headers=alice.headers)
    else:
        answer = client.call("POST", path, body, alice)

    assert answer.status_code == 201
    assert answer.json()["status"] == "success"
    assert answer.json()["message"]
    if made.id_key:
        things["id"] = answer.json()["data"][made.id_key]
    assert re.fullmatch(things.name_in(made.location), answer.headers["Location"])


def test_the_table_names_every_route_that_makes_something() -> None:
    assert MADE.keys() == {route.pattern for route in ROUTES if route.method == "POST"}
