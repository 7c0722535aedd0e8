"""Changes that meet in the database. Each race takes one course: a lock that the test holds decides who comes first."""

from typing import Any

import httpx
import pytest

ALICE, BOB = "user-" + "a" * 32, "user-" + "b" * 32
TRUSTED = {"X-Service-Credential": "the-shared-credential"}
SONG = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay"}
LOCK_SONG = "SELECT 1 FROM songs WHERE id = %s FOR UPDATE"
LOCK_ALBUM = "SELECT 1 FROM albums WHERE id = %s FOR UPDATE"


async def songs_on(client: httpx.AsyncClient, album_id: str) -> list[str]:
    return [song["id"] for song in (await client.get(f"/albums/{album_id}")).json()["data"]["album"]["songs"]]


async def test_a_song_that_moves_twice_at_once_leaves_no_trace_on_the_album_between(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, locks: Any
) -> None:
    first, between, last = await add_album("A"), await add_album("B"), await add_album("C")
    song_id = await add_song(albumId=first)

    async with locks.held(LOCK_ALBUM, last):
        async with locks.held(LOCK_SONG, song_id):
            to_between, to_last = await locks.queue(
                client.put(f"/songs/{song_id}", json=SONG | {"albumId": between}),
                client.put(f"/songs/{song_id}", json=SONG | {"albumId": last}),
            )
        assert (await to_between).is_success
        await locks.waiting(1)
        assert await songs_on(client, between) == [song_id], "read while the second move is under way"
    answer = await to_last

    assert answer.is_success
    assert f"album:{between}" in answer.headers["Cache-Purge"].split(",")
    assert [await songs_on(client, album_id) for album_id in (first, between, last)] == [[], [], [song_id]]


async def test_a_song_that_is_deleted_while_it_moves_leaves_the_album_that_it_moved_to(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, locks: Any
) -> None:
    old, new = await add_album("A"), await add_album("B")
    song_id = await add_song(albumId=old)

    async with locks.held(LOCK_SONG, song_id):
        moved, deleted = await locks.queue(
            client.put(f"/songs/{song_id}", json=SONG | {"albumId": new}), client.delete(f"/songs/{song_id}")
        )

    assert ((await moved).status_code, (await deleted).status_code) == (200, 200)
    assert set((await deleted).headers["Cache-Purge"].split(",")) >= {f"song:{song_id}", f"album:{new}"}
    assert [await songs_on(client, album_id) for album_id in (old, new)] == [[], []]


async def test_a_song_that_was_deleted_meanwhile_is_not_updated(
    client: httpx.AsyncClient, add_song: Any, locks: Any, events: Any
) -> None:
    song_id = await add_song()

    async with locks.held(LOCK_SONG, song_id):
        deleted, updated, again = await locks.queue(
            client.delete(f"/songs/{song_id}"),
            client.put(f"/songs/{song_id}", json=SONG),
            client.delete(f"/songs/{song_id}"),
        )

    assert [(await each).status_code for each in (deleted, updated, again)] == [200, 404, 404]
    assert await events.kinds_about(song_id) == ["song.created.v1", "song.deleted.v1"]


async def test_updates_at_once_are_numbered_one_after_the_other(
    client: httpx.AsyncClient, add_song: Any, locks: Any, events: Any
) -> None:
    song_id = await add_song()

    async with locks.held(LOCK_SONG, song_id):
        updates = await locks.queue(
            *(client.put(f"/songs/{song_id}", json=SONG | {"title": title}) for title in ("one", "two", "three"))
        )
    assert [(await each).status_code for each in updates] == [200] * 3

    announced = [(event["sequence"], event["data"]["title"]) for event in await events.about(song_id)]
    numbers, titles = zip(*announced, strict=True)
    assert numbers == (1, 2, 3, 4)
    assert sorted(titles) == ["Lost!", "one", "three", "two"]  # of several that wait, PostgreSQL may serve any first
    assert (await client.get(f"/songs/{song_id}")).json()["data"]["song"]["title"] == titles[-1]


async def test_a_song_is_not_added_to_an_album_that_was_deleted_meanwhile(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, locks: Any
) -> None:
    album_id = await add_album()
    song_id = await add_song(title="Stays")

    async with locks.held(LOCK_ALBUM, album_id):
        deleted, added, moved = await locks.queue(
            client.delete(f"/albums/{album_id}"),
            client.post("/songs", json=SONG | {"albumId": album_id}),
            client.put(f"/songs/{song_id}", json=SONG | {"albumId": album_id}),
        )

    assert [(await each).status_code for each in (deleted, added, moved)] == [200, 404, 404]
    song = (await client.get(f"/songs/{song_id}")).json()["data"]["song"]
    assert (song["title"], song["albumId"]) == ("Stays", None)


async def test_songs_that_came_before_the_deletion_of_their_album_stay_without_it(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, locks: Any
) -> None:
    album_id = await add_album()
    song_id = await add_song()

    async with locks.held(LOCK_ALBUM, album_id):
        added, moved, deleted = await locks.queue(
            client.post("/songs", json=SONG | {"albumId": album_id}),
            client.put(f"/songs/{song_id}", json=SONG | {"albumId": album_id}),
            client.delete(f"/albums/{album_id}"),
        )

    assert [(await each).status_code for each in (added, moved, deleted)] == [201, 200, 200]
    for each in (song_id, (await added).json()["data"]["songId"]):
        assert (await client.get(f"/songs/{each}")).json()["data"]["song"]["albumId"] is None
    assert (await client.get(f"/albums/{album_id}")).status_code == 404


async def test_covers_set_at_once_are_each_announced_as_replaced_once_but_never_the_live_one(
    client: httpx.AsyncClient, add_album: Any, locks: Any, events: Any
) -> None:
    album_id = await add_album()
    covers = [f"/covers/{album_id}/{name}.png" for name in ("first", "second", "third")]
    path = f"/internal/albums/{album_id}/cover"
    assert (await client.put(path, json={"path": covers[0]}, headers=TRUSTED)).is_success

    async with locks.held(LOCK_ALBUM, album_id):
        changes = await locks.queue(
            *(client.put(path, json={"path": cover}, headers=TRUSTED) for cover in [*covers[1:], covers[2]])
        )
    assert [(await each).status_code for each in changes] == [200] * 3

    assert [event["data"]["path"] for event in await events.about(album_id)] == covers[:2]
    live = (await client.get(f"/albums/{album_id}")).json()["data"]["album"]["coverUrl"]
    assert live == f"https://music.example{covers[2]}"


async def test_an_album_that_was_deleted_meanwhile_gets_no_cover(
    client: httpx.AsyncClient, add_album: Any, locks: Any, events: Any
) -> None:
    album_id = await add_album()
    path = f"/internal/albums/{album_id}/cover"
    await client.put(path, json={"path": f"/covers/{album_id}/old.png"}, headers=TRUSTED)

    async with locks.held(LOCK_ALBUM, album_id):
        deleted, again, cover, renamed = await locks.queue(
            client.delete(f"/albums/{album_id}"),
            client.delete(f"/albums/{album_id}"),
            client.put(path, json={"path": f"/covers/{album_id}/new.png"}, headers=TRUSTED),
            client.put(f"/albums/{album_id}", json={"name": "X", "year": 1}),
        )

    assert [(await each).status_code for each in (deleted, again, cover, renamed)] == [200, 404, 404, 404]
    assert await events.kinds_about(album_id) == ["album.deleted.v1"]


async def test_likes_at_once_of_one_user_count_once(
    client: httpx.AsyncClient, add_album: Any, bearer: Any, locks: Any
) -> None:
    album_id = await add_album()
    path = f"/albums/{album_id}/likes"

    async with locks.held(LOCK_ALBUM, album_id):
        likes = await locks.queue(*(client.post(path, headers=bearer(user)) for user in (ALICE, ALICE, BOB)))

    assert [(await each).status_code for each in likes] == [201, 400, 201]
    assert (await client.get(path)).json()["data"]["likes"] == 2


@pytest.mark.parametrize("liked_first", [True, False])
async def test_a_like_that_meets_the_deletion_of_its_album_leaves_nothing(
    client: httpx.AsyncClient, add_album: Any, bearer: Any, locks: Any, connection: Any, *, liked_first: bool
) -> None:
    album_id = await add_album()
    path = f"/albums/{album_id}/likes"
    requests = [client.delete(f"/albums/{album_id}"), client.post(path, headers=bearer(ALICE))]

    async with locks.held(LOCK_ALBUM, album_id):
        answers = await locks.queue(*(reversed(requests) if liked_first else requests))

    assert [(await each).status_code for each in answers] == ([201, 200] if liked_first else [200, 404])
    assert (await client.get(path)).status_code == 404
    cursor = await connection.execute("SELECT count(*) AS likes FROM album_likes WHERE album_id = %s", [album_id])
    assert await cursor.fetchone() == {"likes": 0}
