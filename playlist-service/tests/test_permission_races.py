"""Permission, existence and order are decided in the statement that changes, whatever happens between two steps."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from openmusic_testkit.waiting import eventually

Blocked = Callable[[int], Callable[[], Awaitable[bool]]]


async def test_an_addition_that_was_under_way_fails_after_the_collaborator_was_removed(
    peers: Any, alice: Any, bob: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.share(playlist_id, bob)
    let_go = peers.hold_back()
    adding = asyncio.create_task(bob.add(playlist_id, song_id))
    await peers.holding.wait()

    assert await alice.unshare(playlist_id, bob) == 200
    let_go.set()

    assert await adding == 403
    assert (await alice.read(playlist_id))[0] == []
    assert await alice.activities(playlist_id) == []


async def test_an_addition_to_a_playlist_that_was_deleted_meanwhile_finds_none(peers: Any, alice: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    let_go = peers.hold_back()
    adding = asyncio.create_task(alice.add(playlist_id, song_id))
    await peers.holding.wait()

    assert (await alice.call("DELETE", f"/playlists/{playlist_id}")).status_code == 200
    let_go.set()

    assert await adding == 404


@pytest.mark.parametrize("change", ["add", "remove"])
async def test_a_removal_of_the_collaborator_waits_for_a_change_or_is_seen_by_it(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Blocked, change: str
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.share(playlist_id, bob)
    await alice.add(await alice.add_playlist(), song_id)  # so that there is a copy
    if change == "remove":
        await alice.add(playlist_id, song_id)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM songs WHERE id = %s FOR UPDATE", [song_id])
        await connection.execute("SELECT 1 FROM playlist_songs WHERE song_id = %s FOR UPDATE", [song_id])
        changing = asyncio.create_task(getattr(bob, change)(playlist_id, song_id))
        await eventually(blocked(1))
        removing = asyncio.create_task(alice.unshare(playlist_id, bob))

        async def removed_or_waiting() -> bool:
            return removing.done() or await blocked(2)()

        await eventually(removed_or_waiting)
        removed_first = removing.done()

    assert await removing == 200
    assert (await changing == 403) == removed_first


@pytest.mark.parametrize("change", ["add", "remove"])
async def test_a_change_waits_for_a_removal_of_its_collaborator_that_is_about_to_commit(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Blocked, change: str
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.share(playlist_id, bob)
    if change == "remove":
        await alice.add(playlist_id, song_id)
    async with connection.transaction():
        await connection.execute("DELETE FROM collaborations WHERE playlist_id = %s", [playlist_id])
        changing = asyncio.create_task(getattr(bob, change)(playlist_id, song_id))

        async def waits_or_is_done() -> bool:
            return changing.done() or await blocked(1)()

        await eventually(waits_or_is_done)

    assert await changing == 403
    assert (await alice.read(playlist_id))[0] == (["Lost!"] if change == "remove" else [])


async def test_a_song_is_removed_while_its_playlist_is_deleted_without_a_deadlock(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Blocked
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.share(playlist_id, bob)
    await alice.add(playlist_id, song_id)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlist_songs WHERE song_id = %s FOR UPDATE", [song_id])
        removing = asyncio.create_task(bob.remove(playlist_id, song_id))
        await eventually(blocked(1))
        deleting = asyncio.create_task(alice.call("DELETE", f"/playlists/{playlist_id}"))
        await eventually(blocked(2))

    assert await removing == 200
    assert (await deleting).status_code == 200


async def test_a_deleted_song_leaves_playlists_that_are_locked_in_any_order_without_a_deadlock(
    peers: Any, events: Any, applied: Any, alice: Any, connection: Any, blocked: Blocked
) -> None:
    """The consumer touches a song in many playlists, and an owner's deletion many songs of one."""
    playlist_id, other_id = await alice.add_playlist(), await alice.add_playlist()
    song_id, other_song = peers.add_song(), peers.add_song()
    for each in (playlist_id, other_id):
        for song in (song_id, other_song):
            await alice.add(each, song)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlists WHERE id = %s FOR UPDATE", [playlist_id])
        event_id = await events.song("deleted", song_id, 2)
        await eventually(blocked(1))
        # The consumer has to wait for the playlist before it holds any row of a song in it.
        await connection.execute("SELECT 1 FROM playlist_songs WHERE song_id = %s FOR UPDATE NOWAIT", [song_id])

    await applied(event_id)
    left = await connection.execute("SELECT 1 FROM playlist_songs WHERE song_id = %s", [song_id])
    assert await left.fetchall() == []
    assert (await alice.read(playlist_id))[0] == (await alice.read(other_id))[0] == ["Lost!"]


async def test_no_activity_slips_behind_one_that_was_read(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Blocked
) -> None:
    playlist_id, slow, fast = await alice.add_playlist(), peers.add_song("Slow"), peers.add_song("Fast")
    await alice.share(playlist_id, bob)
    await bob.add(await bob.add_playlist(), slow)
    await bob.add(await bob.add_playlist(), fast)
    seen = []
    async with connection.transaction():
        # As an addition of "Slow" that has drawn its position, and takes long to commit.
        await connection.execute("SELECT 1 FROM songs WHERE id = %s FOR UPDATE", [slow])
        first = asyncio.create_task(alice.add(playlist_id, slow))
        await eventually(blocked(1))
        second = asyncio.create_task(bob.add(playlist_id, fast))

        async def added_or_waiting() -> bool:
            return second.done() or await blocked(2)()

        await eventually(added_or_waiting)
        seen += [each["title"] for each in await alice.activities(playlist_id)]
    assert await first == await second == 201

    activities = await alice.activities(playlist_id)
    assert [each["title"] for each in activities][: len(seen)] == seen
    assert [each["time"] for each in activities] == sorted(each["time"] for each in activities)
    assert (await alice.read(playlist_id))[0] == [each["title"] for each in activities]


async def test_positions_are_drawn_by_who_holds_the_playlist(
    peers: Any, alice: Any, connection: Any, blocked: Blocked
) -> None:
    """A change that waits for the playlist must not have drawn its position: the one before would get a later one."""
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.add(await alice.add_playlist(), song_id)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlists WHERE id = %s FOR NO KEY UPDATE", [playlist_id])
        adding = asyncio.create_task(alice.add(playlist_id, song_id))

        async def waits_or_is_done() -> bool:
            return adding.done() or await blocked(1)()

        await eventually(waits_or_is_done)
        await connection.execute(
            "INSERT INTO activities (playlist_id, user_id, title, action, time)"
            " VALUES (%s, %s, 'Before', 'add', clock_timestamp())",
            [playlist_id, alice.id],
        )

    assert await adding == 201
    activities = await alice.activities(playlist_id)
    assert [each["title"] for each in activities] == ["Before", "Lost!"]
    assert activities[0]["time"] <= activities[1]["time"]


async def test_someone_else_neither_shares_nor_deletes_nor_learns_that_a_song_is_in_it(
    peers: Any, alice: Any, bob: Any, person: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.add(playlist_id, song_id)
    carol = person("carol")
    await alice.share(playlist_id, carol)

    assert await bob.add(playlist_id, song_id) == 403
    assert await bob.remove(playlist_id, song_id) == 403
    assert await bob.share(playlist_id, bob) == await carol.share(playlist_id, bob) == 403
    assert await bob.unshare(playlist_id, carol) == await carol.unshare(playlist_id, carol) == 403
    assert (await bob.call("DELETE", f"/playlists/{playlist_id}")).status_code == 403
    assert (await carol.call("DELETE", f"/playlists/{playlist_id}")).status_code == 403
    assert await alice.read(playlist_id) == (["Lost!"], False)
