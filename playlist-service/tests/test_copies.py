"""A playlist is copied by whoever may read it."""

import asyncio
from typing import Any

import pytest

from openmusic_kit.ids import new_id
from openmusic_playlist.projections.freshness import Freshness
from openmusic_testkit.waiting import eventually


async def copy(person: Any, playlist_id: str, body: Any = None) -> Any:
    return await person.call("POST", f"/playlists/{playlist_id}/copy", body)


async def copied(person: Any, playlist_id: str, **body: Any) -> str:
    answer = await copy(person, playlist_id, body or None)
    assert answer.status_code == 201, answer.text
    copy_id: str = answer.json()["data"]["playlistId"]
    assert answer.headers["Location"] == f"/playlists/{copy_id}"
    return copy_id


async def add(peers: Any, person: Any, playlist_id: str, titles: str) -> list[str]:
    songs = [peers.add_song(title) for title in titles]
    answer = await person.call("POST", f"/playlists/{playlist_id}/songs/batch", {"songIds": songs})
    assert answer.status_code == 201, answer.text
    return songs


async def titles(person: Any, playlist_id: str) -> str:
    return "".join((await person.read(playlist_id))[0])


async def test_a_copy_has_the_same_songs_in_the_same_order_and_belongs_to_its_maker(
    peers: Any, alice: Any, bob: Any
) -> None:
    playlist_id = await alice.add_playlist("Ours")
    *_, last = await add(peers, alice, playlist_id, "abc")
    await alice.call("PUT", f"/playlists/{playlist_id}/songs/order", {"songId": last, "after": None})
    await alice.call("PATCH", f"/playlists/{playlist_id}", {"public": True, "description": "Hers"})
    assert (await bob.call("GET", "/playlists")).json()["data"]["playlists"] == []

    copy_id = await copied(bob, playlist_id)

    listed = (await bob.call("GET", "/playlists")).json()["data"]["playlists"]
    assert listed == [{"id": copy_id, "name": "Ours", "username": "bob"}]
    assert await titles(bob, copy_id) == "cab"
    details = (await bob.call("GET", f"/playlists/{copy_id}")).json()["data"]["playlist"]
    assert (details["public"], details["description"], details["collaboratorCount"]) == (False, "", 0)
    assert (await alice.call("GET", f"/playlists/{copy_id}/songs")).status_code == 403
    await add(peers, bob, copy_id, "d")
    assert (await titles(bob, copy_id), await titles(alice, playlist_id)) == ("cabd", "cab")


async def test_a_copy_may_have_another_name_and_begins_with_an_edit(alice: Any) -> None:
    copy_id = await copied(alice, await alice.add_playlist("Ours"), name="Mine")

    assert (await alice.call("GET", f"/playlists/{copy_id}")).json()["data"]["playlist"]["name"] == "Mine"
    answer = await alice.call("GET", f"/playlists/{copy_id}/activities?edits=true")
    edits = [(each["username"], each["action"], each["title"]) for each in answer.json()["data"]["activities"]]
    assert edits == [("alice", "copy", "Mine")]
    assert await alice.activities(copy_id) == []


@pytest.mark.parametrize("body", [{"name": ""}, {"name": None}, {"name": 1}, {"name": "x" * 1001}, []], ids=str)
async def test_a_copy_without_a_proper_name_is_refused(alice: Any, body: Any) -> None:
    assert (await copy(alice, await alice.add_playlist(), body)).status_code == 400


async def test_who_may_read_a_playlist_may_copy_it_and_nobody_else(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    await add(peers, alice, playlist_id, "ab")
    assert (await copy(bob, playlist_id)).status_code == 403
    for missing in (new_id("playlist"), "playlist-x"):
        assert (await copy(alice, missing)).status_code == 404

    await alice.share(playlist_id, bob)
    assert await titles(bob, await copied(bob, playlist_id)) == "ab"
    await alice.unshare(playlist_id, bob)
    assert (await copy(bob, playlist_id)).status_code == 403
    assert len((await bob.call("GET", "/playlists")).json()["data"]["playlists"]) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [("DELETE FROM collaborations WHERE playlist_id = %s", 403), ("DELETE FROM playlists WHERE id = %s", 404)],
)
async def test_a_copy_that_was_under_way_fails_after_its_maker_may_no_longer_read(
    alice: Any, bob: Any, connection: Any, monkeypatch: pytest.MonkeyPatch, change: str, expected: int
) -> None:
    playlist_id = await alice.add_playlist()
    await alice.share(playlist_id, bob)

    async def catch_up_after_the_change(*_: Any) -> None:
        await connection.execute(change, [playlist_id])

    monkeypatch.setattr(Freshness, "catch_up", catch_up_after_the_change)

    assert (await copy(bob, playlist_id)).status_code == expected


async def test_a_deleted_song_is_not_copied_before_it_is_swept_either(peers: Any, alice: Any, connection: Any) -> None:
    playlist_id = await alice.add_playlist()
    _, gone, _ = await add(peers, alice, playlist_id, "abc")
    await connection.execute("UPDATE songs SET deleted = true WHERE id = %s", [gone])

    copy_id = await copied(alice, playlist_id)

    rows = await connection.execute("SELECT 1 FROM playlist_songs WHERE playlist_id = %s", [copy_id])
    assert (len(await rows.fetchall()), await titles(alice, copy_id)) == (2, "ac")


async def test_a_copy_waits_for_the_deletion_of_a_song_that_is_about_to_commit(
    peers: Any, alice: Any, connection: Any, blocked: Any
) -> None:
    playlist_id = await alice.add_playlist()
    _, gone = await add(peers, alice, playlist_id, "ab")
    async with connection.transaction():
        await connection.execute("UPDATE songs SET deleted = true WHERE id = %s", [gone])
        copying = asyncio.create_task(copied(alice, playlist_id))

        async def waits_or_is_done() -> bool:
            return copying.done() or await blocked(1)()

        await eventually(waits_or_is_done)

    rows = await connection.execute("SELECT 1 FROM playlist_songs WHERE playlist_id = %s", [await copying])
    assert len(await rows.fetchall()) == 1


async def test_a_user_whom_nobody_has_told_of_copies_at_the_cost_of_one_question(
    peers: Any, alice: Any, bob: Any
) -> None:
    playlist_id = await alice.add_playlist()
    await alice.call("PATCH", f"/playlists/{playlist_id}", {"public": True})
    peers.asked.clear()

    for _ in range(2):
        await copied(bob, playlist_id)
    assert peers.asked == [f"/internal/users/{bob.id}"]

    del peers.users[bob.id]
    assert (await copy(type(bob)(bob._client, new_id("user"), "nobody"), playlist_id)).status_code == 401


async def test_a_user_who_is_being_deleted_copies_nothing(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Any
) -> None:
    playlist_id = await alice.add_playlist()
    await add(peers, alice, playlist_id, "ab")
    await alice.share(playlist_id, bob)
    async with connection.transaction():
        await connection.execute("UPDATE users SET deleted = true WHERE id = %s", [bob.id])
        copying = asyncio.create_task(copy(bob, playlist_id))

        async def waits_or_is_done() -> bool:
            return copying.done() or await blocked(1)()

        await eventually(waits_or_is_done)

    assert (await copying).status_code == 401
    rows = await connection.execute("SELECT 1 FROM playlists WHERE owner_id = %s", [bob.id])
    assert await rows.fetchall() == []
