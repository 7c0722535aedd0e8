"""Conditional requests through the gateway: a tag from any response to GET is good for ``If-Match``."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

OTHER = '"0123456789abcdef01234567"'
SONG = {"title": "Talk", "year": 2005, "genre": "Rock", "performer": "Coldplay"}


@dataclass(frozen=True)
class Thing:
    """What is read at ``path`` and changed by ``method`` at ``changed_at``."""

    path: str
    method: str
    changed_at: str
    body: Any
    user: Any


KINDS = ["album", "song", "playlist", "account", "order", "album deletion", "song deletion", "playlist deletion"]


@pytest.fixture
def make(client: Any) -> Callable[[str], Thing]:
    def make(kind: str) -> Thing:
        if kind == "account":
            user = client.register("careful")
            return Thing("/users/me", "PATCH", "/users/me", {"fullname": "Another Name"}, user)
        if kind.startswith("album"):
            path, user, body = f"/albums/{client.album()}", None, {"name": "X&Y", "year": 2005}
        elif kind.startswith("song"):
            path, user, body = f"/songs/{client.song()}", None, SONG
        else:
            user = client.register("careful")
            playlist, songs = client.playlist(user), [client.song(title) for title in "ab"]
            for song in songs:
                client.add(playlist, song, user)
            path, body = f"/playlists/{playlist}", {"name": "Other"}
            if kind == "order":
                return Thing(f"{path}/songs", "PUT", f"{path}/songs/order", {"songIds": songs[::-1]}, user)
        if kind.endswith("deletion"):
            return Thing(path, "DELETE", path, None, user)
        return Thing(path, "PATCH" if kind == "playlist" else "PUT", path, body, user)

    return make


def read(client: Any, thing: Thing, **headers: str) -> Any:
    return client.call("GET", thing.path, user=thing.user, headers=_named(headers))


def change(client: Any, thing: Thing, **headers: str) -> Any:
    return client.call(thing.method, thing.changed_at, thing.body, thing.user, headers=_named(headers))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_change_depends_on_the_tag_of_what_was_read(client: Any, make: Any, kind: str) -> None:
    thing = make(kind)
    tag = read(client, thing).headers["ETag"]

    for headers, status in (
        ({"If_Match": OTHER}, 412),
        ({"If_Match": f"W/{tag}"}, 412),
        ({"If_None_Match": "*"}, 412),
        ({"If_None_Match": tag}, 412),
        ({"If_None_Match": f"W/{tag}"}, 412),
        ({"If_Match": tag, "If_None_Match": tag}, 412),
        ({"If_Match": "unquoted"}, 400),
        ({"If_None_Match": "unquoted"}, 400),
        ({"If_Match": ""}, 400),
    ):
        answer = change(client, thing, **headers)
        assert (answer.status_code, answer.json()["status"]) == (status, "fail"), headers
        assert set(answer.json()) == {"status", "message"}
        assert read(client, thing).headers["ETag"] == tag, headers
    problem = change(client, thing, If_Match=OTHER, Accept="application/problem+json")
    assert problem.json()["code"] == "precondition_failed"
    assert change(client, thing, If_Match=f"{OTHER}, {tag}", If_None_Match=OTHER).status_code == 200
    if thing.method != "DELETE":
        assert change(client, thing, If_Match=tag).status_code == 412, "it is another one now"
        assert change(client, thing, If_Match="*").status_code == 200


@pytest.mark.parametrize("kind", ["album", "song", "playlist", "account", "order"])
def test_each_read_gives_304_or_412_by_its_tag(client: Any, make: Any, kind: str) -> None:
    thing = make(kind)
    tag = read(client, thing).headers["ETag"]

    for headers, status in (
        ({"If_None_Match": tag}, 304),
        ({"If_None_Match": f"{OTHER}, W/{tag}"}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": OTHER}, 200),
        ({"If_None_Match": "unquoted"}, 200),
        ({"If_Match": tag}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": f"W/{tag}"}, 412),
        ({"If_Match": OTHER}, 412),
        ({"If_Match": OTHER, "If_None_Match": tag}, 412),
    ):
        for _ in range(2):  # perhaps from the edge
            answer = read(client, thing, **headers)
            assert answer.status_code == status, headers
            assert answer.headers.get("ETag") == (tag if status != 412 else None)
            if status == 304:
                assert answer.content == b""
                assert "content-type" not in answer.headers


def test_a_tag_is_the_same_kept_or_not_and_its_compressed_form_will_do(client: Any) -> None:
    album = client.album()
    for number in range(30):  # enough to be compressed
        client.song(f"Song {number}", albumId=album)
    path = f"/albums/{album}"
    answers = [
        client.call("GET", path, headers={"Accept-Encoding": encoding})
        for encoding, _ in itertools.product(("identity", "gzip"), range(3))
    ]
    plain, packed = answers[0].headers["ETag"], answers[-1].headers["ETag"]

    assert {answer.headers["ETag"] for answer in answers} == {plain, packed}
    assert packed == plain[:-1] + '-gzip"'
    body = {"name": "Renamed", "year": 2000}
    assert client.call("PUT", path, body, headers={"If-None-Match": packed}).status_code == 412
    assert client.call("PUT", path, body, headers={"If-Match": packed}).status_code == 200
    for old in (plain, packed):
        assert client.call("PUT", path, body, headers={"If-Match": old}).status_code == 412
        assert client.call("GET", path, headers={"If-Match": old}).status_code == 412


def test_the_tag_of_an_album_with_its_colour_will_do(client: Any) -> None:
    path, body = f"/albums/{client.album()}", {"name": "Renamed", "year": 2000}
    tag = client.call("GET", f"{path}?color=true").headers["ETag"]

    assert client.call("PUT", path, body, headers={"If-None-Match": tag}).status_code == 412
    assert client.call("PUT", path, body, headers={"If-Match": tag}).status_code == 200
    assert client.call("DELETE", path, headers={"If-Match": tag}).status_code == 412


def test_of_many_who_change_what_they_read_one_succeeds_each_time(client: Any) -> None:
    """Each adds one to a number that only its readers keep right."""
    song = client.song("0")
    path, clients, rounds = f"/songs/{song}", 4, 5

    def count() -> None:
        for _ in range(rounds):
            while True:
                found = client.call("GET", path)
                title = str(int(found.json()["data"]["song"]["title"]) + 1)
                answer = client.call("PUT", path, SONG | {"title": title}, headers={"If-Match": found.headers["ETag"]})
                assert answer.status_code in (200, 412), answer.text
                if answer.status_code == 200:
                    break

    threads = [threading.Thread(target=count) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert client.call("GET", path).json()["data"]["song"]["title"] == str(clients * rounds)
