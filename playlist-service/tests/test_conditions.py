"""Changes of what a client has read, and what other members change meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from openmusic_testkit.waiting import eventually

Blocked = Callable[[int], Callable[[], Awaitable[bool]]]


async def tag(person: Any, path: str) -> str:
    return str((await person.call("GET", path)).headers["ETag"])


async def change(
    person: Any, client: httpx.AsyncClient, method: str, path: str, match: str, body: Any = None
) -> httpx.Response:
    return await client.request(method, path, json=body, headers={**person.headers, "If-Match": match})


@pytest.mark.parametrize("second", ["PATCH", "DELETE"])
async def test_of_two_changes_of_a_playlist_that_was_read_once_one_is_refused(
    client: httpx.AsyncClient, alice: Any, connection: Any, blocked: Blocked, second: str
) -> None:
    path = f"/playlists/{await alice.add_playlist('Before')}"
    read = await tag(alice, path)

    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlists WHERE id = %s FOR UPDATE", [path.rpartition("/")[2]])
        renaming = asyncio.create_task(change(alice, client, "PATCH", path, read, {"name": "After"}))
        await eventually(blocked(1))
        other = asyncio.create_task(change(alice, client, second, path, read, {"name": "Lost"}))
        await eventually(blocked(2))

    assert ((await renaming).status_code, (await other).status_code) == (200, 412)
    assert "Cache-Purge" not in (await other).headers
    assert (await alice.call("GET", path)).json()["data"]["playlist"]["name"] == "After"
    assert (await change(alice, client, second, path, await tag(alice, path), {"name": "Read"})).status_code == 200


@pytest.mark.parametrize("what", ["rename", "describe", "publish", "song", "collaborator", "nothing"])
async def test_the_tag_of_a_playlist_changes_with_what_is_shown_of_it(
    client: httpx.AsyncClient, peers: Any, alice: Any, bob: Any, what: str
) -> None:
    playlist_id = await alice.add_playlist("Ours")
    path = f"/playlists/{playlist_id}"
    read = await tag(alice, path)
    match what:
        case "song":
            await alice.add(playlist_id, peers.add_song())
        case "collaborator":
            await alice.share(playlist_id, bob)
        case _:
            names = {"rename": {"name": "Other"}, "describe": {"description": "x"}, "publish": {"public": True}}
            await alice.call("PATCH", path, names.get(what, {"name": "Ours"}))

    same = what == "nothing"
    assert (await tag(alice, path) == read) is same
    assert (await change(alice, client, "PATCH", path, read, {"name": "New"})).status_code == (200 if same else 412)


async def test_a_song_that_the_catalogue_has_deleted_is_seen_by_the_check(
    client: httpx.AsyncClient, peers: Any, events: Any, applied: Any, alice: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.add(playlist_id, song_id)
    path = f"/playlists/{playlist_id}"
    read = await tag(alice, path)

    await applied(await events.song("deleted", song_id, 2))

    assert (await change(alice, client, "PATCH", path, read, {"name": "New"})).status_code == 412


async def test_an_order_is_refused_once_the_songs_are_others(
    client: httpx.AsyncClient, peers: Any, alice: Any, bob: Any, connection: Any, blocked: Blocked
) -> None:
    playlist_id, songs = await alice.add_playlist(), [peers.add_song(title) for title in "abc"]
    for song_id in songs:
        await alice.add(playlist_id, song_id)
    await alice.share(playlist_id, bob)
    path = f"/playlists/{playlist_id}/songs"
    read = await tag(alice, path)
    assert await tag(bob, path) == read

    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlists WHERE id = %s FOR UPDATE", [playlist_id])
        first = asyncio.create_task(
            change(alice, client, "PUT", f"{path}/order", read, {"songIds": [songs[2], songs[0], songs[1]]})
        )
        await eventually(blocked(1))
        second = asyncio.create_task(
            change(bob, client, "PUT", f"{path}/order", read, {"songId": songs[1], "after": None})
        )
        await eventually(blocked(2))

    assert ((await first).status_code, (await second).status_code) == (200, 412)
    assert (await alice.read(playlist_id))[0] == ["c", "a", "b"]
    last = {"songIds": songs, "revision": 0}
    assert (await change(bob, client, "PUT", f"{path}/order", await tag(bob, path), last)).status_code == 400
    assert (await change(bob, client, "PUT", f"{path}/order", read, last)).status_code == 412


async def test_who_may_not_change_a_playlist_learns_nothing_of_its_tag(
    client: httpx.AsyncClient, alice: Any, bob: Any
) -> None:
    playlist_id = await alice.add_playlist()
    path = f"/playlists/{playlist_id}"
    read = await tag(alice, path)

    for match in (read, '"other"'):
        for method in ("PATCH", "DELETE"):
            assert (await change(bob, client, method, path, match, {"name": "x"})).status_code == 403
        order = {"songId": "a", "after": None}
        assert (await change(bob, client, "PUT", f"{path}/songs/order", match, order)).status_code == 403
