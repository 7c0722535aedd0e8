"""Many songs are added or deleted in one request: all of them, or none."""

import asyncio
from typing import Any

import pytest

from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually


async def batch(person: Any, method: str, playlist_id: str, *song_ids: str) -> Any:
    return await person.call(method, f"/playlists/{playlist_id}/songs/batch", {"songIds": song_ids})


async def status(person: Any, method: str, playlist_id: str, *song_ids: str) -> int:
    return int((await batch(person, method, playlist_id, *song_ids)).status_code)


async def titles(person: Any, playlist_id: str) -> str:
    return "".join((await person.read(playlist_id))[0])


async def history(person: Any, playlist_id: str) -> list[tuple[str, str, str]]:
    return [(each["username"], each["action"], each["title"]) for each in await person.activities(playlist_id)]


async def test_songs_are_added_and_deleted_in_the_order_given_with_an_activity_each(
    peers: Any, alice: Any, bob: Any
) -> None:
    playlist_id = await alice.add_playlist()
    await alice.share(playlist_id, bob)
    songs = {title: peers.add_song(title) for title in "dbac"}
    assert await titles(alice, playlist_id) == ""

    assert await status(alice, "POST", playlist_id, songs["a"], songs["d"], songs["b"], songs["c"]) == 201
    assert await titles(bob, playlist_id) == "adbc"
    assert await status(bob, "DELETE", playlist_id, songs["c"], songs["a"]) == 200

    assert await titles(alice, playlist_id) == "db"
    expected = [("alice", "add", title) for title in "adbc"] + [("bob", "delete", title) for title in "ca"]
    assert await history(alice, playlist_id) == expected
    activities = await alice.activities(playlist_id)
    assert [each["time"] for each in activities] == sorted(each["time"] for each in activities)


async def test_a_thousand_songs_are_the_most(peers: Any, alice: Any) -> None:
    playlist_id, songs = await alice.add_playlist(), [peers.add_song("x") for _ in range(1001)]

    assert await status(alice, "POST", playlist_id, *songs) == 400
    assert await status(alice, "POST", playlist_id, *songs[1:]) == 201
    answer = await alice.call("GET", f"/playlists/{playlist_id}/songs")
    assert [song["id"] for song in answer.json()["data"]["playlist"]["songs"]] == songs[1:]
    assert await status(alice, "DELETE", playlist_id, *songs[1:]) == 200
    assert await titles(alice, playlist_id) == ""


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"songIds": []}, {"songIds": "x"}, {"songIds": [1]}, {"songIds": [""]}, {"songIds": ["x", "x"]}],
)
async def test_a_payload_without_distinct_songs_is_refused(alice: Any, bob: Any, method: str, body: Any) -> None:
    playlist_id = await alice.add_playlist()
    for person in (alice, bob):
        answer = await person.call(method, f"/playlists/{playlist_id}/songs/batch", body)
        assert (answer.status_code, answer.json().keys()) == (400, {"status", "message"})


async def test_unknown_songs_are_listed_and_none_is_added(peers: Any, alice: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    unknown = ["x", new_id("song"), new_id("album"), "\0", new_id("song")]

    answer = await batch(alice, "POST", playlist_id, unknown[0], song_id, *unknown[1:])

    assert answer.status_code == 404
    message = "Some of these songs were not found"
    assert answer.json() == {"status": "fail", "message": message, "data": {"notFound": unknown}}
    assert await titles(alice, playlist_id) == ""
    assert await history(alice, playlist_id) == []


async def test_songs_that_are_not_in_the_playlist_are_listed_and_none_is_deleted(peers: Any, alice: Any) -> None:
    playlist_id, song_id, other = await alice.add_playlist(), peers.add_song("a"), peers.add_song("b")
    await alice.add(playlist_id, song_id)
    await alice.add(await alice.add_playlist(), other)

    answer = await batch(alice, "DELETE", playlist_id, other, song_id, "\0", "x")

    assert (answer.status_code, answer.json()["data"]) == (404, {"notFound": [other, "\0", "x"]})
    assert await titles(alice, playlist_id) == "a"
    assert len(await history(alice, playlist_id)) == 1


async def test_with_a_song_that_is_in_it_already_none_is_added(peers: Any, alice: Any) -> None:
    playlist_id, first, second = await alice.add_playlist(), peers.add_song("a"), peers.add_song("b")
    await alice.add(playlist_id, first)

    assert await status(alice, "POST", playlist_id, second, first) == 400
    assert await titles(alice, playlist_id) == "a"
    assert len(await history(alice, playlist_id)) == 1


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_stranger_makes_nobody_look_for_songs(peers: Any, alice: Any, bob: Any, method: str) -> None:
    playlist_id = await alice.add_playlist()
    peers.asked.clear()

    assert await status(bob, method, playlist_id, new_id("song")) == 403
    assert await status(bob, method, new_id("playlist"), new_id("song")) == 404
    assert peers.asked == []


async def test_a_deleted_song_is_not_found_before_it_is_swept_either(peers: Any, alice: Any, connection: Any) -> None:
    playlist_id, kept, gone = await alice.add_playlist(), peers.add_song("a"), peers.add_song("b")
    await batch(alice, "POST", playlist_id, kept, gone)
    await connection.execute("UPDATE songs SET deleted = true WHERE id = %s", [gone])

    answer = await batch(alice, "DELETE", playlist_id, kept, gone)

    assert (answer.status_code, answer.json()["data"]) == (404, {"notFound": [gone]})
    assert await titles(alice, playlist_id) == "a"


async def test_a_song_deleted_while_the_catalogue_answers_is_not_added_nor_the_others(
    peers: Any, events: Any, applied: Any, alice: Any
) -> None:
    playlist_id, kept, gone = await alice.add_playlist(), peers.add_song("a"), peers.add_song("b")
    let_go = peers.hold_back()
    adding = asyncio.create_task(batch(alice, "POST", playlist_id, kept, gone))
    await peers.holding.wait()

    await applied(await events.song("deleted", gone, 2))
    let_go.set()

    answer = await adding
    assert (answer.status_code, answer.json()["data"]) == (404, {"notFound": [gone]})
    assert await titles(alice, playlist_id) == ""


async def test_without_the_catalogue_copies_are_trusted_if_there_is_one_of_each(peers: Any, alice: Any) -> None:
    playlist_id, first, second = await alice.add_playlist(), peers.add_song("a"), peers.add_song("b")
    await batch(alice, "POST", await alice.add_playlist(), first, second)
    third = peers.add_song("c")
    peers.down.add("songs")

    assert await status(alice, "POST", playlist_id, first, third) == 503
    assert await status(alice, "POST", playlist_id, second, first) == 201
    assert await titles(alice, playlist_id) == "ba"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_batch_that_waits_for_the_removal_of_its_collaborator_changes_nothing(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Any, method: str
) -> None:
    playlist_id, songs = await alice.add_playlist(), [peers.add_song(title) for title in "ab"]
    await alice.share(playlist_id, bob)
    if method == "DELETE":
        await batch(alice, "POST", playlist_id, *songs)
    async with connection.transaction():
        await connection.execute("DELETE FROM collaborations WHERE playlist_id = %s", [playlist_id])
        changing = asyncio.create_task(status(bob, method, playlist_id, *songs))

        async def waits_or_is_done() -> bool:
            return changing.done() or await blocked(1)()

        await eventually(waits_or_is_done)

    assert await changing == 403
    assert await titles(alice, playlist_id) == ("ab" if method == "DELETE" else "")


async def shared_playlist(peers: Any, alice: Any, bob: Any) -> list[str]:
    """The ids of a playlist of Alice and Bob, and of its three songs."""
    playlist_id, songs = await alice.add_playlist(), [peers.add_song(title) for title in "abc"]
    await alice.share(playlist_id, bob)
    await batch(alice, "POST", playlist_id, *songs)
    return [playlist_id, *songs]


async def test_of_deletions_that_overlap_the_second_deletes_nothing(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Any
) -> None:
    """The second sees the playlist as it was before the first committed, unless it looks again."""
    playlist_id, a, b, c = await shared_playlist(peers, alice, bob)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlists WHERE id = %s FOR UPDATE", [playlist_id])
        first = asyncio.create_task(batch(alice, "DELETE", playlist_id, a, b))
        await eventually(blocked(1))
        second = asyncio.create_task(batch(bob, "DELETE", playlist_id, b, c))
        await eventually(blocked(2))

    assert (await first).status_code == 200
    assert ((await second).status_code, (await second).json()["data"]) == (404, {"notFound": [b]})
    assert await titles(alice, playlist_id) == "c"
    assert [action for _, action, _ in await history(alice, playlist_id)] == ["add"] * 3 + ["delete"] * 2


async def test_a_deletion_that_waits_for_a_new_order_deletes_songs_that_were_moved(
    peers: Any, alice: Any, bob: Any, connection: Any, blocked: Any
) -> None:
    playlist_id, a, b, c = await shared_playlist(peers, alice, bob)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlists WHERE id = %s FOR UPDATE", [playlist_id])
        body = {"songIds": [c, b, a]}
        ordering = asyncio.create_task(alice.call("PUT", f"/playlists/{playlist_id}/songs/order", body))
        await eventually(blocked(1))
        deleting = asyncio.create_task(status(bob, "DELETE", playlist_id, a, b))
        await eventually(blocked(2))

    assert ((await ordering).status_code, await deleting) == (200, 200)
    assert await titles(alice, playlist_id) == "c"


async def test_batches_lock_copies_in_one_order_whatever_theirs_is(
    peers: Any, alice: Any, connection: Any, blocked: Any
) -> None:
    """Like changes of several songs: whoever waits for a song holds none that comes after it."""
    songs = sorted(peers.add_song(title) for title in "abc")
    await batch(alice, "POST", await alice.add_playlist(), *songs)
    playlist_id = await alice.add_playlist()
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM songs WHERE id = %s FOR UPDATE", [songs[0]])
        adding = asyncio.create_task(status(alice, "POST", playlist_id, *reversed(songs)))
        await eventually(blocked(1))
        for later in songs[1:]:
            await connection.execute("SELECT 1 FROM songs WHERE id = %s FOR UPDATE NOWAIT", [later])

    assert await adding == 201


async def test_batches_of_one_playlist_at_the_same_time_tell_the_same_story(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id, songs = await alice.add_playlist(), [peers.add_song(str(number)) for number in range(6)]
    await alice.share(playlist_id, bob)
    parts = [songs[start : start + 3] for start in range(4)]

    statuses = await asyncio.gather(
        *(status(person, method, playlist_id, *part)
          for _ in range(3) for part in parts for person, method in ((alice, "POST"), (bob, "DELETE")))
    )  # fmt: skip

    assert set(statuses) <= {200, 201, 400, 404}
    activities = await history(alice, playlist_id)
    assert len(activities) == 3 * sum(each in (200, 201) for each in statuses)
    left = [title for title in map(str, range(6)) if [t for *_, t in activities].count(title) % 2]
    assert sorted((await alice.read(playlist_id))[0]) == left
