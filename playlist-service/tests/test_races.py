"""Constraints and locks decide races, whatever the order of things."""

import asyncio
import random
from typing import Any

import pytest

from openmusic_testkit.waiting import eventually


async def test_of_twenty_additions_of_a_song_one_succeeds(peers: Any, alice: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()

    statuses = await asyncio.gather(*(alice.add(playlist_id, song_id) for _ in range(20)))

    assert sorted(statuses) == [201] + [400] * 19
    assert (await alice.read(playlist_id))[0] == ["Lost!"]
    assert len(await alice.activities(playlist_id)) == 1


async def test_of_twenty_removals_of_a_song_one_succeeds(peers: Any, alice: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.add(playlist_id, song_id)

    statuses = await asyncio.gather(*(alice.remove(playlist_id, song_id) for _ in range(20)))

    assert sorted(statuses) == [200] + [404] * 19
    assert [each["action"] for each in await alice.activities(playlist_id)] == ["add", "delete"]


async def test_activities_tell_the_same_story_as_the_playlist(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    await alice.share(playlist_id, bob)
    songs = {peers.add_song(f"Song {number}"): f"Song {number}" for number in range(4)}
    chance = random.Random(7)  # noqa: S311 - the same every time
    calls = [
        getattr(chance.choice([alice, bob]), chance.choice(["add", "remove"]))(playlist_id, chance.choice([*songs]))
        for _ in range(120)
    ]

    statuses = await asyncio.gather(*calls)

    assert set(statuses) <= {200, 201, 400, 404}
    activities = await alice.activities(playlist_id)
    assert len(activities) == sum(status in (200, 201) for status in statuses)
    left = []
    for title in songs.values():
        actions = [each["action"] for each in activities if each["title"] == title]
        assert actions == ["add", "delete"] * (len(actions) // 2) + ["add"] * (len(actions) % 2)
        left += [title] * (len(actions) % 2)
    assert sorted((await alice.read(playlist_id))[0]) == left


async def test_an_answer_fetched_before_the_deletion_does_not_bring_the_song_back(
    peers: Any, events: Any, applied: Any, alice: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    let_go = peers.hold_back()
    adding = asyncio.create_task(alice.add(playlist_id, song_id))
    await peers.holding.wait()

    await applied(await events.song("deleted", song_id, 2))
    let_go.set()

    assert await adding == 404
    assert (await alice.read(playlist_id))[0] == []
    assert await alice.activities(playlist_id) == []


@pytest.mark.parametrize("seed", range(3))
async def test_additions_that_race_with_deletions_leave_no_deleted_song(
    peers: Any, events: Any, applied: Any, alice: Any, connection: Any, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same every time
    playlist_id = await alice.add_playlist()
    song_ids = [peers.add_song() for _ in range(20)]

    async def delete(song_id: str) -> str:
        await asyncio.sleep(chance.uniform(0, 0.15))  # anywhere within the additions, which take about as long
        event_id: str = await events.song("deleted", song_id, 2)
        return event_id

    adding = asyncio.gather(*(alice.add(playlist_id, song_id) for song_id in song_ids))
    event_ids = await asyncio.gather(*map(delete, song_ids))
    statuses = await adding
    await applied(*event_ids)

    assert set(statuses) <= {201, 404}
    assert (await alice.read(playlist_id))[0] == []
    left = await connection.execute("SELECT 1 FROM playlist_songs WHERE song_id = ANY(%s)", [song_ids])
    assert await left.fetchall() == []
    assert len(await alice.activities(playlist_id)) == statuses.count(201)


async def test_a_playlist_deleted_during_additions_is_gone_for_good(peers: Any, alice: Any, connection: Any) -> None:
    playlist_id = await alice.add_playlist()
    additions = [alice.add(playlist_id, peers.add_song()) for _ in range(10)]

    deleted, *statuses = await asyncio.gather(alice.call("DELETE", f"/playlists/{playlist_id}"), *additions)

    assert deleted.status_code == 200
    assert set(statuses) <= {201, 404}
    assert (await alice.call("GET", f"/playlists/{playlist_id}/songs")).status_code == 404
    left = await connection.execute("SELECT 1 FROM playlist_songs WHERE playlist_id = %s", [playlist_id])
    assert await left.fetchall() == []


async def test_an_addition_waits_for_a_deletion_that_is_about_to_commit(
    peers: Any, alice: Any, connection: Any
) -> None:
    playlist_id, other, song_id = await alice.add_playlist(), await alice.add_playlist(), peers.add_song()
    await alice.add(other, song_id)
    peers.down.add("songs")  # so that the copy alone is asked, and without a lock

    async with connection.transaction():
        await connection.execute("UPDATE songs SET deleted = true WHERE id = %s", [song_id])
        adding = asyncio.create_task(alice.add(playlist_id, song_id))

        async def waits_or_is_done() -> bool:
            blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            return adding.done() or bool(await (await connection.execute(blocked)).fetchall())

        await eventually(waits_or_is_done)

    assert await adding == 404
    assert (await alice.read(playlist_id))[0] == []
