"""What each answer tells the gateways: what it is made of, and what it outdates (docs/architecture.md)."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from openmusic_kit.ids import new_id

ALICE = "user-" + "a" * 32
SONG = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay"}
ALBUM = {"name": "Viva la Vida", "year": 2008}


def tags(answer: httpx.Response, header: str) -> set[str]:
    given = answer.headers.get(header)
    names = given.split(",") if given is not None else []
    assert len(names) == len(set(names))
    return set(names)


def kept(answer: httpx.Response) -> set[str]:
    """The tags of an answer that is for everyone."""
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert "Cache-Purge" not in answer.headers
    return tags(answer, "Cache-Tag")


def purged(answer: httpx.Response) -> set[str]:
    assert answer.is_success, answer.text
    assert "Cache-Tag" not in answer.headers
    return tags(answer, "Cache-Purge")


async def test_an_answer_has_the_tags_of_what_it_is_made_of(
    client: httpx.AsyncClient, add_album: Any, add_song: Any
) -> None:
    album_id = await add_album()
    single, track = await add_song(), await add_song(albumId=album_id)

    for _ in ("loaded", "cached"):
        assert kept(await client.get(f"/albums/{album_id}")) == {f"album:{album_id}"}
        assert kept(await client.get(f"/albums/{album_id}/likes")) == {f"likes:{album_id}"}
    assert kept(await client.get(f"/songs/{track}")) == {f"song:{track}", f"album:{album_id}"}
    assert kept(await client.get(f"/songs/{single}")) == {f"song:{single}"}


@pytest.mark.parametrize(("path", "tag"), [("/songs", "song"), ("/albums", "album")])
async def test_a_list_is_outdated_by_every_change_of_its_kind(client: httpx.AsyncClient, path: str, tag: str) -> None:
    for query in ("", "?title=lost", "?name=viva", "?limit=1"):
        assert kept(await client.get(f"{path}{query}")) == {tag}


async def test_a_search_is_outdated_by_every_change_of_a_song_or_an_album(client: httpx.AsyncClient) -> None:
    for query in ("lost", "nothing at all", "lost&limit=1"):
        assert kept(await client.get(f"/search?q={query}")) == {"song", "album"}


async def test_a_change_of_an_album_purges_what_shows_it(
    client: httpx.AsyncClient, add_album: Any, bearer: Any
) -> None:
    album_id = await add_album()
    path, headers = f"/albums/{album_id}", bearer(ALICE)

    assert purged(await client.put(path, json=ALBUM)) == {f"album:{album_id}"}
    assert purged(await client.post(f"{path}/likes", headers=headers)) == {f"likes:{album_id}"}
    assert purged(await client.delete(f"{path}/likes", headers=headers)) == {f"likes:{album_id}"}
    assert purged(await client.delete(path)) == {f"album:{album_id}", f"likes:{album_id}"}


async def test_a_change_of_a_song_purges_the_albums_that_it_was_on_and_is_on(
    client: httpx.AsyncClient, add_album: Any
) -> None:
    old, new = await add_album(), await add_album()
    created = await client.post("/songs", json=SONG | {"albumId": old})
    song_id = created.json()["data"]["songId"]
    path, song = f"/songs/{song_id}", f"song:{song_id}"

    assert purged(created) == {song, f"album:{old}"}
    assert purged(await client.put(path, json=SONG | {"albumId": old})) == {song, f"album:{old}"}
    assert purged(await client.put(path, json=SONG | {"albumId": new})) == {song, f"album:{old}", f"album:{new}"}
    assert purged(await client.put(path, json=SONG)) == {song, f"album:{new}"}
    assert purged(await client.put(path, json=SONG)) == {song}
    assert purged(await client.put(path, json=SONG | {"albumId": old})) == {song, f"album:{old}"}
    assert purged(await client.delete(path)) == {song, f"album:{old}"}


async def test_a_song_without_an_album_purges_itself(client: httpx.AsyncClient) -> None:
    created = await client.post("/songs", json=SONG)
    song_id = created.json()["data"]["songId"]

    assert purged(created) == {f"song:{song_id}"}
    assert purged(await client.delete(f"/songs/{song_id}")) == {f"song:{song_id}"}


async def test_a_new_album_purges_itself(client: httpx.AsyncClient) -> None:
    created = await client.post("/albums", json=ALBUM)
    assert purged(created) == {f"album:{created.json()['data']['albumId']}"}


async def test_what_failed_purges_nothing_and_is_kept_nowhere(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, bearer: Any
) -> None:
    album_id, song_id, missing = await add_album(), await add_song(), new_id("album")
    headers = bearer(ALICE)
    likes = f"/albums/{album_id}/likes"
    assert (await client.post(likes, headers=headers)).status_code == 201
    requests: list[tuple[str, str, Any, int]] = [
        ("GET", f"/albums/{missing}", None, 404),
        ("GET", f"/albums/{missing}/likes", None, 404),
        ("GET", f"/songs/{new_id('song')}", None, 404),
        ("PUT", f"/albums/{missing}", ALBUM, 404),
        ("PUT", f"/albums/{album_id}", {}, 400),
        ("DELETE", f"/albums/{missing}", None, 404),
        ("POST", f"/albums/{missing}/likes", None, 404),
        ("POST", likes, None, 400),
        ("DELETE", f"/albums/{missing}/likes", None, 404),
        ("POST", "/songs", SONG | {"albumId": missing}, 404),
        ("PUT", f"/songs/{song_id}", SONG | {"albumId": missing}, 404),
        ("PUT", f"/songs/{song_id}", {}, 400),
        ("PUT", f"/songs/{new_id('song')}", SONG, 404),
        ("DELETE", f"/songs/{new_id('song')}", None, 404),
    ]
    for method, path, body, status in requests:
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, (method, path)
        assert {"cache-tag", "cache-purge", "x-data-source"}.isdisjoint(answer.headers), (method, path)


def test_every_public_route_is_among_those_above(app: FastAPI) -> None:
    routes = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}

    assert routes == {
        "GET /albums",
        "POST /albums",
        "GET /albums/{album_id}",
        "PUT /albums/{album_id}",
        "DELETE /albums/{album_id}",
        "GET /albums/{album_id}/likes",
        "POST /albums/{album_id}/likes",
        "DELETE /albums/{album_id}/likes",
        "GET /songs",
        "POST /songs",
        "GET /songs/{song_id}",
        "PUT /songs/{song_id}",
        "DELETE /songs/{song_id}",
        "GET /search",
    }
