"""Each row of the contract, as it fails."""

import struct
import zlib
from typing import Any

import pytest

ALBUM = {"name": "X", "year": 2008}
SONG = {"title": "T", "year": 2008, "genre": "G", "performer": "P"}
USER = {"username": "somebody", "password": "secret", "fullname": "S"}
LOGIN = {"username": "somebody", "password": "secret"}
NO_ID = "0" * 32


def refused(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["status"] == "fail"
    assert isinstance(body["message"], str)
    assert body["message"]
    assert answer.headers["content-type"].startswith("application/json")


def wrong(base: dict[str, Any], **wrong_values: list[Any]) -> list[Any]:
    """The good payload with one thing wrong each time, and bodies that are no objects."""
    missing = [{name: value for name, value in base.items() if name != key} for key in base]
    spoilt = [{**base, name: value} for name, values in wrong_values.items() for value in values]
    return [{}, [], "text", 7, *missing, *spoilt]


NOT_TEXT = [1, True, None, "", [], {}, "a\0b"]
NOT_WHOLE = ["dummy", "2008", 2008.5, True, None, 2**31, -(2**31) - 1, []]


@pytest.mark.parametrize("payload", wrong(ALBUM, name=NOT_TEXT, year=NOT_WHOLE))
def test_albums_that_make_no_sense(client: Any, payload: Any) -> None:
    refused(client.call("POST", "/albums", payload), 400)
    refused(client.call("PUT", f"/albums/album-{NO_ID}", payload), 400)


@pytest.mark.parametrize(
    "payload",
    wrong(
        SONG,
        title=NOT_TEXT,
        year=NOT_WHOLE,
        genre=NOT_TEXT,
        performer=NOT_TEXT,
        duration=["1", 1.5, True, 2**31, -1],
        albumId=[1, True],
    ),
)
def test_songs_that_make_no_sense(client: Any, payload: Any) -> None:
    refused(client.call("POST", "/songs", payload), 400)
    refused(client.call("PUT", f"/songs/song-{NO_ID}", payload), 400)


@pytest.mark.parametrize(
    "payload", wrong(USER, username=[*NOT_TEXT, "u" * 256], password=[*NOT_TEXT, "short", "p" * 129], fullname=NOT_TEXT)
)
def test_users_that_make_no_sense(client: Any, payload: Any) -> None:
    if isinstance(payload, dict) and payload.get("password") == "a\0b":
        pytest.skip("too short in any case; a NUL in a longer password is as good as any byte")
    refused(client.call("POST", "/users", payload), 400)


def test_a_username_can_be_taken_only_once(client: Any, alice: Any) -> None:
    refused(client.call("POST", "/users", {**USER, "username": alice.username}), 400)


@pytest.mark.parametrize("payload", wrong(LOGIN, username=[1, True, None, ""], password=[1, True, None, ""]))
def test_logins_that_make_no_sense(client: Any, payload: Any) -> None:
    refused(client.call("POST", "/authentications", payload), 400)


def test_unknown_user_and_wrong_password_look_the_same(client: Any, alice: Any) -> None:
    unknown = client.call("POST", "/authentications", {"username": "nobody at all", "password": "secret"})
    mistaken = client.call("POST", "/authentications", {"username": alice.username, "password": "mistaken"})
    refused(unknown, 401)
    assert (mistaken.status_code, mistaken.json()) == (unknown.status_code, unknown.json())


@pytest.mark.parametrize("payload", [{}, [], {"refreshToken": 1}, {"refreshToken": ""}, {"refreshToken": "forged"}])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_refresh_tokens_that_are_none(client: Any, method: str, payload: Any) -> None:
    refused(client.call(method, "/authentications", payload), 400)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_access_token_is_no_refresh_token_and_the_other_way_round(client: Any, alice: Any, method: str) -> None:
    access_token = alice.headers["Authorization"].removeprefix("Bearer ")
    refused(client.call(method, "/authentications", {"refreshToken": access_token}), 400)
    swapped = {"Authorization": f"Bearer {alice.refresh_token}"}
    refused(client.call("GET", "/playlists", headers=swapped), 401)


PROTECTED = [
    ("POST", f"/albums/album-{NO_ID}/likes"),
    ("DELETE", f"/albums/album-{NO_ID}/likes"),
    ("POST", "/playlists"),
    ("GET", "/playlists"),
    ("DELETE", f"/playlists/playlist-{NO_ID}"),
    ("POST", f"/playlists/playlist-{NO_ID}/songs"),
    ("GET", f"/playlists/playlist-{NO_ID}/songs"),
    ("DELETE", f"/playlists/playlist-{NO_ID}/songs"),
    ("GET", f"/playlists/playlist-{NO_ID}/activities"),
    ("POST", "/collaborations"),
    ("DELETE", "/collaborations"),
    ("POST", f"/export/playlists/playlist-{NO_ID}"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer a.b.c", "Basic xyz"])
def test_who_asks_is_checked_before_anything_else(
    client: Any, method: str, path: str, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    headers["content-type"] = "application/json"
    refused(client.call(method, path, headers=headers, content=b"{" if method != "GET" else None), 401)


@pytest.mark.parametrize(
    ("method", "path", "payload"),
    [
        ("POST", "/albums/{id}/likes", None),
        ("DELETE", "/albums/{id}/likes", None),
        ("GET", "/albums/{id}/likes", None),
        ("GET", "/albums/{id}", None),
        ("PUT", "/albums/{id}", ALBUM),
        ("DELETE", "/albums/{id}", None),
        ("GET", "/songs/{id}", None),
        ("PUT", "/songs/{id}", SONG),
        ("DELETE", "/songs/{id}", None),
        ("GET", "/users/{id}", None),
        ("DELETE", "/playlists/{id}", None),
        ("GET", "/playlists/{id}/songs", None),
        ("POST", "/playlists/{id}/songs", {"songId": "x"}),
        ("DELETE", "/playlists/{id}/songs", {"songId": "x"}),
        ("POST", "/playlists/{id}/songs/batch", {"songIds": ["x"]}),
        ("DELETE", "/playlists/{id}/songs/batch", {"songIds": ["x"]}),
        ("POST", "/playlists/{id}/copy", {}),
        ("PUT", "/playlists/{id}/songs/order", {"songIds": []}),
        ("GET", "/playlists/{id}/activities", None),
        ("POST", "/export/playlists/{id}", {"targetEmail": "a@b.example"}),
    ],
)
@pytest.mark.parametrize("odd_id", ["xxx", "a" * 300, "%2e%2e%2f", "%00", "%F0%9F%8E%B5", "album-" + NO_ID])
def test_an_id_of_any_text_is_not_found(
    client: Any, alice: Any, method: str, path: str, payload: Any, odd_id: str
) -> None:
    refused(client.call(method, path.replace("{id}", odd_id), payload, alice), 404)


@pytest.mark.parametrize(
    ("method", "path", "payload"),
    [
        ("POST", "/playlists/xxx/songs", {"songId": 123}),
        ("POST", "/playlists/xxx/songs", {}),
        ("DELETE", "/playlists/xxx/songs", {"songId": True}),
        ("DELETE", "/playlists/xxx/songs", None),
        ("POST", "/export/playlists/xxx", {"targetEmail": "nothing"}),
        ("POST", "/export/playlists/xxx", {}),
    ],
)
def test_what_is_asked_is_checked_before_whether_it_exists(
    client: Any, alice: Any, method: str, path: str, payload: Any
) -> None:
    refused(client.call(method, path, payload, alice), 400)


def test_a_song_of_an_unknown_album(client: Any) -> None:
    refused(client.call("POST", "/songs", {**SONG, "albumId": f"album-{NO_ID}"}), 404)


@pytest.mark.parametrize("payload", [{}, {"name": 1}, {"name": ""}, {"name": None}, [], {"name": True}])
def test_playlists_that_make_no_sense(client: Any, alice: Any, payload: Any) -> None:
    refused(client.call("POST", "/playlists", payload, alice), 400)


def test_only_members_see_and_change_a_playlist_and_only_its_owner_rules_it(
    client: Any, alice: Any, bob: Any, stranger: Any
) -> None:
    playlist_id, song_id = client.playlist(alice), client.song()
    client.add(playlist_id, song_id, alice)
    client.share(playlist_id, alice, bob)
    path = f"/playlists/{playlist_id}"
    for _ in range(2):  # cached and not
        refused(client.call("GET", f"{path}/songs", user=stranger), 403)
        assert client.call("GET", f"{path}/songs", user=bob).status_code == 200
    refused(client.call("POST", f"{path}/songs", {"songId": song_id}, stranger), 403)
    refused(client.call("POST", f"{path}/songs", {"songId": "song-x"}, stranger), 404)
    refused(client.call("DELETE", f"{path}/songs", {"songId": song_id}, stranger), 403)
    refused(client.call("GET", f"{path}/activities", user=stranger), 403)
    for user in (stranger, bob):
        refused(client.call("DELETE", path, user=user), 403)
        refused(client.call("POST", f"/export{path}", {"targetEmail": "a@b.example"}, user), 403)
        refused(client.call("POST", f"/export{path}", {"targetEmail": 5}, user), 400)
        collaboration = {"playlistId": playlist_id, "userId": stranger.id}
        refused(client.call("POST", "/collaborations", collaboration, user), 403)
        refused(client.call("DELETE", "/collaborations", collaboration, user), 403)


def test_what_contradicts_the_present_state_is_refused_and_writes_no_activity(
    client: Any, alice: Any, bob: Any
) -> None:
    playlist_id, song_id, other = client.playlist(alice), client.song(), client.song("Other")
    client.add(playlist_id, song_id, alice)
    path = f"/playlists/{playlist_id}/songs"
    refused(client.call("POST", path, {"songId": song_id}, alice), 400)
    refused(client.call("DELETE", path, {"songId": other}, alice), 404)
    refused(client.call("POST", "/collaborations", {"playlistId": playlist_id, "userId": alice.id}, alice), 400)
    refused(client.call("DELETE", "/collaborations", {"playlistId": playlist_id, "userId": bob.id}, alice), 404)
    client.share(playlist_id, alice, bob)
    refused(client.call("POST", "/collaborations", {"playlistId": playlist_id, "userId": bob.id}, alice), 400)
    activities = client.call("GET", f"/playlists/{playlist_id}/activities", user=alice).json()["data"]["activities"]
    assert len(activities) == 1


@pytest.mark.parametrize("payload", [{}, {"playlistId": 1, "userId": "u"}, {"playlistId": "p"}, {"userId": "u"}, []])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_collaborations_that_make_no_sense(client: Any, alice: Any, method: str, payload: Any) -> None:
    refused(client.call(method, "/collaborations", payload, alice), 400)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_collaborations_of_unknown_playlists_and_users(client: Any, alice: Any, bob: Any, method: str) -> None:
    playlist_id = client.playlist(alice)
    refused(client.call(method, "/collaborations", {"playlistId": "x", "userId": bob.id}, alice), 404)
    refused(client.call(method, "/collaborations", {"playlistId": playlist_id, "userId": "user-x"}, alice), 404)


@pytest.mark.parametrize(
    "address",
    ["", "x", "a@", "@b.example", "a b@c.example", "A <a@b.example>", "a@b.example\r\nBcc: c@d.example", 1, None, True],
)
def test_exports_to_what_is_no_address(client: Any, alice: Any, address: Any) -> None:
    playlist_id = client.playlist(alice)
    refused(client.call("POST", f"/export/playlists/{playlist_id}", {"targetEmail": address}, alice), 400)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def padded(png: bytes, size: int) -> bytes:
    """The same picture in a file of exactly that many bytes."""
    head, end = png[:-12], png[-12:]
    return head + _chunk(b"prIv", bytes(size - len(png) - 12)) + end


def test_a_cover_may_have_512000_bytes_and_not_one_more(client: Any, picture: Any) -> None:
    album_id = client.album()
    assert client.upload(album_id, padded(picture(), 512_000)).status_code == 201
    refused(client.upload(album_id, padded(picture(), 512_001)), 413)
    refused(client.upload(album_id, padded(picture(), 5_000_000)), 413)


def test_what_is_no_image_is_no_cover(client: Any, picture: Any) -> None:
    album_id = client.album()
    png, jpeg = picture(size=(300, 300)), picture("JPEG", size=(300, 300))
    for content in (
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>alert(1)</script></html>",
        png[: len(png) // 2],
        jpeg[: len(jpeg) // 2],
        png[:8] + b"<html></html>",
        picture("BMP"),
        picture("TIFF"),
    ):
        refused(client.upload(album_id, content), 400)
    refused(client.call("POST", f"/albums/{album_id}/covers"), 400)
    refused(client.http.post(f"/albums/{album_id}/covers", files={"other": ("a.png", png)}), 400)
    refused(client.http.post(f"/albums/{album_id}/covers", data={"cover": "text"}), 400)
    assert client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["coverUrl"] is None


@pytest.mark.parametrize("album_id", ["xxx", f"album-{NO_ID}", "%00"])
def test_a_cover_of_an_unknown_album(client: Any, picture: Any, album_id: str) -> None:
    refused(client.upload(album_id, picture()), 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/internal/users/x", 404),
        ("GET", "/albums/", 404),
        ("PUT", "/albums", 405),
        ("PATCH", "/songs", 405),
        ("OPTIONS", "/no-such-route", 404),
        ("POST", "/covers/a/b", 405),
        ("GET", "/covers/a/..%2f..%2fsecrets.json", 404),
    ],
)
def test_unknown_routes_and_methods(client: Any, method: str, path: str, status: int) -> None:
    refused(client.call(method, path), status)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b'{"name": "x", "year": 1e999}', b"[" * 10_000])
def test_malformed_json(client: Any, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    refused(client.call("POST", "/albums", headers=headers, content=content), 400)


def test_a_body_over_a_megabyte(client: Any) -> None:
    refused(client.call("POST", "/albums", {"name": "x" * 1_100_000, "year": 1}), 413)


def test_every_answer_names_its_request(client: Any) -> None:
    assert (
        client.call("GET", "/songs", headers={"X-Request-ID": "my-own.id_1"}).headers["X-Request-ID"] == "my-own.id_1"
    )
    assert client.call("GET", "/nowhere").headers["X-Request-ID"]
