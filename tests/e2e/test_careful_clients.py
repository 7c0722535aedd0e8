"""What the API does for careful clients: problems (RFC 9457), and where to find what was made."""

from typing import Any

import pytest

PROBLEM = {"Accept": "application/json, application/problem+json"}
NO_ID = "0" * 32


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"/albums/album-{NO_ID}", None, 404, "album_not_found"),
        ("GET", f"/songs/song-{NO_ID}", None, 404, "song_not_found"),
        ("GET", f"/users/user-{NO_ID}", None, 404, "user_not_found"),
        ("GET", "/songs?cursor=_", None, 400, "cursor_invalid"),
        ("POST", "/authentications", {"username": "nobody", "password": "secret"}, 401, "wrong_credentials"),
        ("PUT", "/authentications", {"refreshToken": "x"}, 400, "refresh_token_invalid"),
        ("POST", f"/albums/album-{NO_ID}/covers", None, 400, "not_a_form"),
        ("POST", "/songs", {"title": 1}, 400, "invalid"),
        ("DELETE", f"/playlists/playlist-{NO_ID}", None, 401, "unauthenticated"),
    ],
)
def test_each_service_says_what_went_wrong_by_a_code(
    client: Any, method: str, path: str, body: Any, status: int, code: str
) -> None:
    problem = client.call(method, path, body, headers=PROBLEM)
    usual = client.call(method, path, body)

    assert (problem.status_code, usual.status_code) == (status, status)
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["code"] == code
    assert problem.json()["detail"] == usual.json()["message"]
    assert usual.headers["content-type"] == "application/json"
    assert usual.json().keys() == {"status", "message"}


def test_bad_input_names_the_fields(client: Any) -> None:
    song = {"title": "T", "year": "2008", "genre": 1, "performer": "P"}
    problem = client.call("POST", "/songs", song, headers=PROBLEM).json()

    assert [error["pointer"] for error in problem["errors"]] == ["#/year", "#/genre"]


def test_no_client_gets_the_shape_that_another_asked_for(client: Any) -> None:
    for path in (f"/albums/album-{NO_ID}", f"/albums/album-{NO_ID}/likes", "/songs?limit=0"):
        for headers in (PROBLEM, {}, PROBLEM, {}):
            answer = client.call("GET", path, headers=headers)
            assert "problem" in answer.headers["content-type"] if headers else "message" in answer.json()
            assert answer.headers["vary"] == "Accept"
            assert "x-data-source" not in answer.headers


def test_success_is_the_same_for_everyone(client: Any) -> None:
    path = f"/albums/{client.album()}"
    answers = [client.call("GET", path, headers=headers) for headers in ({}, PROBLEM)]

    assert answers[0].content == answers[1].content
    assert all(answer.headers["content-type"] == "application/json" for answer in answers)
    assert answers[1].headers["x-data-source"] == "cache"


def test_the_201_of_a_cover_has_its_path(client: Any, picture: Any) -> None:
    album_id = client.album()
    uploaded = client.upload(album_id, picture("PNG"), "cover.png", "image/png")

    location = uploaded.headers["location"]
    assert client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["coverUrl"].endswith(location)
    assert client.call("GET", location).headers["content-type"] == "image/png"
