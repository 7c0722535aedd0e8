"""Every POST, sent twice with one ``Idempotency-Key`` through the gateway."""

import secrets
from typing import Any

import pytest

WITHOUT_KEY = {
    "/authentications",  # another session does no harm, and its tokens must not be stored as they are
    "/albums/{album_id}/covers",  # the same cover again changes nothing
    "/playlists/{playlist_id}/cover",
    "/albums/{album_id}/covers/uploads",  # one more form does no harm
    "/albums/{album_id}/covers/uploads/{upload_id}",  # what was completed cannot be completed again
}


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


def test_the_document_says_which_requests_may_have_a_key(client: Any) -> None:
    posts = {
        path: methods["post"] for path, methods in client.http.get("/openapi.json").json()["paths"].items()
        if "post" in methods
    }  # fmt: skip
    without = {
        path
        for path, operation in posts.items()
        if "Idempotency-Key" not in {each["name"] for each in operation.get("parameters", [])}
    }

    assert without == WITHOUT_KEY


@pytest.mark.parametrize(
    "what",
    [
        *("album", "song", "like", "user", "playlist", "playlist song", "playlist songs", "copy", "import"),
        *("collaborator", "export"),
    ],
)
def test_a_repeated_request_gets_the_first_answer(client: Any, key: dict[str, str], what: str) -> None:
    owner, friend = client.register("owner"), client.register("friend")
    album, song, playlist = client.album(), client.song(), client.playlist(owner)
    path, body, user = {
        "album": ("/albums", {"name": "X&Y", "year": 2005}, None),
        "song": ("/songs", {"title": "Talk", "year": 2005, "genre": "Rock", "performer": "Coldplay"}, None),
        "like": (f"/albums/{album}/likes", None, owner),
        "user": ("/users", {"username": secrets.token_hex(8), "password": "secret", "fullname": "New"}, None),
        "playlist": ("/playlists", {"name": "Again"}, owner),
        "playlist song": (f"/playlists/{playlist}/songs", {"songId": song}, owner),
        "playlist songs": (f"/playlists/{playlist}/songs/batch", {"songIds": [song]}, owner),
        "copy": (f"/playlists/{playlist}/copy", {"name": "Mine"}, owner),
        "import": (
            "/playlists/import",
            {"playlist": {"songs": [{"id": song}, {"title": "Lost", "performer": "?"}]}},
            owner,
        ),
        "collaborator": ("/collaborations", {"playlistId": playlist, "userId": friend.id}, owner),
        "export": (f"/export/playlists/{playlist}", {"targetEmail": "repeat@mail.test"}, owner),
    }[what]

    first, repeat = [client.call("POST", path, body, user, headers=key) for _ in range(2)]

    client.made(first)
    assert (repeat.status_code, repeat.json()) == (201, first.json())
    assert repeat.headers.get("Location") == first.headers.get("Location")
    other = client.call("POST", path, {**(body or {}), "more": 1}, user, headers=key)
    assert (other.status_code, other.json()["status"]) == (400, "fail")


def test_a_repeat_makes_no_second_thing(client: Any, key: dict[str, str]) -> None:
    user = client.register("repeating")
    for _ in range(3):
        assert client.call("POST", "/playlists", {"name": "Once"}, user, headers=key).status_code == 201

    assert len(client.call("GET", "/playlists", user=user).json()["data"]["playlists"]) == 1
