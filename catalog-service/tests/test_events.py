"""What the catalogue announces, as it arrives at a queue of the real broker."""

from typing import Any

import httpx

from openmusic_catalog.app import create_app
from openmusic_catalog.settings import Settings
from openmusic_kit.ids import new_id
from openmusic_testkit.serving import run_app

SONG = {"title": "t", "year": 1, "genre": "g", "performer": "p"}
TRUSTED = {"X-Service-Credential": "the-shared-credential"}


async def test_a_song_announces_its_whole_life(events: Any, client: httpx.AsyncClient, add_song: Any) -> None:
    song_id = await add_song(title="Talk")
    created = await events.next("song.created.v1", song_id)
    await client.put(f"/songs/{song_id}", json={"title": "Talk 2", "year": 1, "genre": "x", "performer": "y"})
    updated = await events.next("song.updated.v1", song_id)
    await client.delete(f"/songs/{song_id}")
    deleted = await events.next("song.deleted.v1", song_id)

    assert created["data"] == {"songId": song_id, "title": "Talk", "performer": "Coldplay"}
    assert updated["data"] == {"songId": song_id, "title": "Talk 2", "performer": "y"}
    assert deleted["data"] == {"songId": song_id}
    assert [event["sequence"] for event in (created, updated, deleted)] == [1, 2, 3]
    assert {event["aggregateId"] for event in (created, updated, deleted)} == {song_id}


async def test_an_album_announces_covers_no_longer_used_and_its_end(
    events: Any, client: httpx.AsyncClient, add_album: Any
) -> None:
    album_id = await add_album()
    first, second, third = (f"/covers/{album_id}/{name}.png" for name in ("first", "second", "third"))
    for path in (first, first, second, second, third, first):
        answer = await client.put(f"/internal/albums/{album_id}/cover", json={"path": path}, headers=TRUSTED)
        assert answer.status_code == 200
    await client.delete(f"/albums/{album_id}")

    *replaced, deleted = await events.about(album_id)

    assert [event["data"] for event in replaced] == [
        {"albumId": album_id, "path": path} for path in (first, second, third)
    ]
    assert (deleted["type"], deleted["data"]) == ("album.deleted", {"albumId": album_id})
    assert [event["sequence"] for event in replaced] == [4, 6, 7], "every change of the album counts"
    assert deleted["sequence"] == 8


async def test_what_changes_no_song_and_no_cover_announces_nothing(
    events: Any, client: httpx.AsyncClient, add_album: Any, bearer: Any
) -> None:
    album_id = await add_album()
    path = f"/albums/{album_id}"
    headers = bearer("user-" + "a" * 32)
    assert (await client.put(path, json={"name": "Renamed", "year": 1})).is_success
    assert (await client.post(f"{path}/likes", headers=headers)).is_success
    assert (await client.delete(f"{path}/likes", headers=headers)).is_success
    assert (await client.put(f"/internal{path}/cover", json={"path": "/covers/x"}, headers=TRUSTED)).is_success

    assert await events.about(album_id) == []


async def test_what_is_refused_announces_nothing_and_does_not_count(
    events: Any, client: httpx.AsyncClient, add_album: Any, add_song: Any
) -> None:
    song_id, album_id, missing = await add_song(), await add_album(), new_id("album")
    unknown_song = new_id("song")
    wrong = SONG | {"albumId": missing}
    for method, path, body, status in (
        ("POST", "/songs", wrong, 404),
        ("PUT", f"/songs/{song_id}", wrong, 404),
        ("PUT", f"/songs/{song_id}", {}, 400),
        ("PUT", f"/songs/{unknown_song}", SONG, 404),
        ("DELETE", f"/songs/{unknown_song}", None, 404),
        ("DELETE", f"/albums/{missing}", None, 404),
        ("PUT", f"/internal/albums/{missing}/cover", {"path": "/covers/x"}, 404),
    ):
        answer = await client.request(method, path, json=body, headers=TRUSTED)
        assert answer.status_code == status, (method, path)
    await client.delete(f"/songs/{song_id}")
    await client.delete(f"/albums/{album_id}")

    announced = {each: await events.about(each) for each in (song_id, album_id, unknown_song, missing)}

    assert [(event["type"], event["sequence"]) for event in announced[song_id]] == [
        ("song.created", 1),
        ("song.deleted", 2),
    ]
    assert [(event["type"], event["sequence"]) for event in announced[album_id]] == [("album.deleted", 2)]
    assert announced[unknown_song] == announced[missing] == []


async def test_a_change_whose_event_cannot_be_stored_is_not_made(
    events: Any, settings: Settings, add_song: Any, add_album: Any, locks: Any
) -> None:
    song_id, album_id = await add_song(title="Before"), await add_album("Before")
    hurried = create_app(settings.model_copy(update={"pg_statement_timeout": 0.3}))
    async with run_app(hurried) as client:
        async with locks.held("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"):
            answers = [
                await client.post("/songs", json=SONG),
                await client.put(f"/songs/{song_id}", json=SONG),
                await client.delete(f"/songs/{song_id}"),
                await client.delete(f"/albums/{album_id}"),
            ]
        assert [answer.status_code for answer in answers] == [503] * 4
        assert all("Cache-Purge" not in answer.headers for answer in answers)
        song = (await client.get(f"/songs/{song_id}")).json()["data"]["song"]
        album = (await client.get(f"/albums/{album_id}")).json()["data"]["album"]

    assert (song["title"], album["name"]) == ("Before", "Before")
    assert await events.kinds_about(song_id) == ["song.created.v1"]
    assert await events.kinds_about(album_id) == []
