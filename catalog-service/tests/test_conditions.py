"""Changes of what a client has read, and what other clients change meanwhile."""

from typing import Any

import httpx
import pytest

SONG = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay"}
ALBUM = {"name": "Parachutes", "year": 2000}
TRUSTED = {"X-Service-Credential": "the-shared-credential"}
LOCK_SONG = "SELECT 1 FROM songs WHERE id = %s FOR UPDATE"
LOCK_ALBUM = "SELECT 1 FROM albums WHERE id = %s FOR UPDATE"


async def condition(client: httpx.AsyncClient, path: str) -> dict[str, str]:
    """What makes a change depend on what is there now."""
    return {"If-Match": (await client.get(path)).headers["ETag"]}


async def test_of_two_updates_of_an_album_that_was_read_once_one_is_refused(
    client: httpx.AsyncClient, add_album: Any, locks: Any
) -> None:
    album_id = await add_album()
    path = f"/albums/{album_id}"
    headers = await condition(client, path)

    async with locks.held(LOCK_ALBUM, album_id):
        first, second = await locks.queue(
            client.put(path, json=ALBUM, headers=headers), client.put(path, json=ALBUM | {"name": "X"}, headers=headers)
        )

    assert ((await first).status_code, (await second).status_code) == (200, 412)
    assert (await second).json()["status"] == "fail"
    assert "Cache-Purge" not in (await second).headers
    assert (await client.get(path)).json()["data"]["album"]["name"] == "Parachutes"


async def test_of_two_updates_of_a_song_that_was_read_once_one_is_refused(
    client: httpx.AsyncClient, add_song: Any, locks: Any, events: Any
) -> None:
    song_id = await add_song()
    path = f"/songs/{song_id}"
    headers = await condition(client, path)

    async with locks.held(LOCK_SONG, song_id):
        first, second = await locks.queue(
            client.put(path, json=SONG | {"title": "Yes"}, headers=headers),
            client.put(path, json=SONG | {"title": "No"}, headers=headers),
        )

    assert ((await first).status_code, (await second).status_code) == (200, 412)
    assert (await client.get(path)).json()["data"]["song"]["title"] == "Yes"
    assert await events.kinds_about(song_id) == ["song.created.v1", "song.updated.v1"]


@pytest.mark.parametrize("kind", ["album", "song"])
async def test_what_was_changed_meanwhile_is_not_deleted(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, locks: Any, kind: str
) -> None:
    thing = await (add_album() if kind == "album" else add_song())
    path, body, lock = f"/{kind}s/{thing}", *((ALBUM, LOCK_ALBUM) if kind == "album" else (SONG, LOCK_SONG))
    headers = await condition(client, path)

    async with locks.held(lock, thing):
        changed, deleted = await locks.queue(client.put(path, json=body), client.delete(path, headers=headers))

    assert ((await changed).status_code, (await deleted).status_code) == (200, 412)
    assert (await client.delete(path, headers=await condition(client, path))).status_code == 200


async def test_a_song_that_lost_its_album_is_another_one(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, locks: Any
) -> None:
    """Its version stays: the deletion of an album knows nothing of its songs."""
    album_id = await add_album()
    song_id = await add_song(albumId=album_id)
    path = f"/songs/{song_id}"
    headers = await condition(client, path)

    async with locks.held(LOCK_SONG, song_id):
        gone, changed = await locks.queue(
            client.delete(f"/albums/{album_id}"), client.put(path, json=SONG, headers=headers)
        )

    assert ((await gone).status_code, (await changed).status_code) == (200, 412)


@pytest.mark.parametrize(
    ("what", "changes"),
    [("name", True), ("song", True), ("title", True), ("cover", True), ("like", False), ("other", False)],
)
async def test_the_tag_of_an_album_changes_with_what_is_shown_of_it(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, bearer: Any, what: str, changes: bool
) -> None:
    album_id = await add_album()
    song_id, path = await add_song(albumId=album_id), f"/albums/{album_id}"
    headers = await condition(client, path)

    match what:
        case "name":
            await client.put(path, json=ALBUM)
        case "song":
            await add_song(albumId=album_id)
        case "title":
            await client.put(f"/songs/{song_id}", json=SONG | {"title": "Other", "albumId": album_id})
        case "cover":
            await client.put(f"/internal{path}/cover", json={"path": "/covers/x"}, headers=TRUSTED)
        case "like":
            await client.post(f"{path}/likes", headers=bearer("user-" + "a" * 32))
        case "other":
            await add_album("Other")

    assert (await condition(client, path) != headers) is changes
    assert (await client.put(path, json=ALBUM, headers=headers)).status_code == (412 if changes else 200)


async def test_an_album_is_checked_after_the_songs_that_came_before(
    client: httpx.AsyncClient, add_album: Any, locks: Any
) -> None:
    album_id = await add_album()
    path = f"/albums/{album_id}"
    headers = await condition(client, path)

    async with locks.held(LOCK_ALBUM, album_id):
        added, changed = await locks.queue(
            client.post("/songs", json=SONG | {"albumId": album_id}), client.put(path, json=ALBUM, headers=headers)
        )

    assert ((await added).status_code, (await changed).status_code) == (201, 412)


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(("kind", "body"), [("albums", ALBUM), ("songs", SONG)])
async def test_a_condition_on_what_is_not_there_is_not_looked_at(
    client: httpx.AsyncClient, header: str, method: str, kind: str, body: Any
) -> None:
    for value in ("*", '"x"'):
        thing = kind.removesuffix("s") + "-" + "0" * 32
        answer = await client.request(method, f"/{kind}/{thing}", json=body, headers={header: value})
        assert answer.status_code == 404


async def test_a_malformed_condition_changes_nothing(client: httpx.AsyncClient, add_song: Any) -> None:
    path = f"/songs/{await add_song()}"

    for header in ("If-Match", "If-None-Match"):
        for method in ("PUT", "DELETE"):
            answer = await client.request(method, path, json=SONG | {"title": "No"}, headers={header: "unquoted"})
            assert answer.status_code == 400
            assert header in answer.json()["message"]
    assert (await client.get(path)).json()["data"]["song"]["title"] == "Lost!"
