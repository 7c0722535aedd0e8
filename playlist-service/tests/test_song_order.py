"""The order of the songs in a playlist, whoever else changes it at the same time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

TRUSTED = {"X-Service-Credential": "the-shared-credential"}

Fill = Callable[..., Awaitable[tuple[str, list[str]]]]
Revision = Callable[[str], Awaitable[int]]


@pytest.fixture
def fill(peers: Any, alice: Any) -> Fill:
    """Makes a playlist of alice's with these songs. Returns its id and theirs."""

    async def make(titles: str) -> tuple[str, list[str]]:
        playlist_id, song_ids = await alice.add_playlist("Ours"), [peers.add_song(title) for title in titles]
        for song_id in song_ids:
            await alice.add(playlist_id, song_id)
        return playlist_id, song_ids

    return make


@pytest.fixture
def revision(alice: Any) -> Revision:
    async def read(playlist_id: str) -> int:
        return int((await alice.call("GET", f"/playlists/{playlist_id}")).json()["data"]["playlist"]["revision"])

    return read


async def order(person: Any, playlist_id: str, **body: Any) -> int:
    return int((await person.call("PUT", f"/playlists/{playlist_id}/songs/order", body)).status_code)


async def titles(person: Any, playlist_id: str) -> str:
    return "".join((await person.read(playlist_id))[0])


async def test_the_whole_order_is_replaced_and_a_new_song_comes_last(peers: Any, alice: Any, fill: Fill) -> None:
    playlist_id, (a, b, c) = await fill("abc")
    assert await titles(alice, playlist_id) == "abc"

    assert await order(alice, playlist_id, songIds=[c, a, b]) == 200
    assert await titles(alice, playlist_id) == "cab"
    await alice.add(playlist_id, peers.add_song("d"))

    assert await titles(alice, playlist_id) == "cabd"
    await alice.remove(playlist_id, a)
    await alice.add(playlist_id, a)
    assert await titles(alice, playlist_id) == "cbda"


@pytest.mark.parametrize(
    ("song", "after", "expected"), [(0, 2, "bcad"), (3, None, "dabc"), (2, 0, "acbd"), (1, 0, "abcd")]
)
async def test_one_song_is_moved(alice: Any, fill: Fill, song: int, after: int | None, expected: str) -> None:
    playlist_id, songs = await fill("abcd")

    moved = await order(alice, playlist_id, songId=songs[song], after=None if after is None else songs[after])

    assert moved == 200
    assert await titles(alice, playlist_id) == expected


async def test_any_sequence_of_changes_gives_the_order_of_a_plain_list(alice: Any, fill: Fill) -> None:
    chance = random.Random(11)  # noqa: S311 - the same every time
    playlist_id, songs = await fill("abcdef")
    names = dict(zip(songs, "abcdef", strict=True))
    for _ in range(40):
        song = chance.choice(songs)
        match chance.choice(["move", "whole", "again"]):
            case "move":
                others = [each for each in songs if each != song]
                place = chance.randrange(len(songs))
                after = others[place - 1] if place else None
                assert await order(alice, playlist_id, songId=song, after=after) == 200
                songs = [*others[:place], song, *others[place:]]
            case "whole":
                chance.shuffle(songs)
                assert await order(alice, playlist_id, songIds=songs) == 200
            case "again":
                assert (await alice.remove(playlist_id, song), await alice.add(playlist_id, song)) == (200, 201)
                songs = [*(each for each in songs if each != song), song]
        assert await titles(alice, playlist_id) == "".join(map(names.__getitem__, songs))


async def test_every_reader_sees_the_new_order(alice: Any, fill: Fill, client: Any) -> None:
    playlist_id, (a, b) = await fill("ab")

    assert await order(alice, playlist_id, songIds=[b, a]) == 200

    exported = await client.get(f"/internal/playlists/{playlist_id}", headers=TRUSTED)
    assert [song["title"] for song in exported.json()["data"]["songs"]] == ["b", "a"]
    data = await client.get(f"/internal/users/{alice.id}/data/playlists?after=", headers=TRUSTED)
    assert [song["title"] for song in data.json()["data"]["items"][0]["songs"]] == ["b", "a"]


async def test_a_new_order_is_an_edit_among_the_activities(alice: Any, bob: Any, fill: Fill) -> None:
    playlist_id, (a, b) = await fill("ab")
    await alice.share(playlist_id, bob)

    assert await order(bob, playlist_id, songIds=[b, a]) == 200
    assert await order(bob, playlist_id, songIds=[b, a]) == 200  # changes nothing
    assert await order(alice, playlist_id, songId=a, after=None) == 200

    answer = await alice.call("GET", f"/playlists/{playlist_id}/activities?edits=true")
    edits = [(each["username"], each["action"], each["title"]) for each in answer.json()["data"]["activities"]][2:]
    assert edits == [("bob", "reorder", "Ours"), ("alice", "reorder", "Ours")]
    assert [each["action"] for each in await alice.activities(playlist_id)] == ["add", "add"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"songIds": "a"},
        {"songIds": [1]},
        {"songIds": [""]},
        {"songId": "a"},
        {"after": None},
        {"songId": 1, "after": None},
    ],
    ids=str,
)
async def test_an_order_of_the_wrong_shape_is_refused(alice: Any, bob: Any, fill: Fill, body: Any) -> None:
    playlist_id, _ = await fill("ab")

    for person in (alice, bob):
        assert (await person.call("PUT", f"/playlists/{playlist_id}/songs/order", body)).status_code == 400


async def test_a_whole_order_names_exactly_the_songs_that_are_there(peers: Any, alice: Any, fill: Fill) -> None:
    playlist_id, (a, b) = await fill("ab")
    for wrong in ([], [a], [a, a], [a, b, b], [a, b, peers.add_song()], [a, "b"]):
        assert await order(alice, playlist_id, songIds=wrong) == 400
    assert await order(alice, await alice.add_playlist(), songIds=[]) == 200
    assert await titles(alice, playlist_id) == "ab"


async def test_a_song_is_moved_only_among_the_songs_of_the_playlist(alice: Any, fill: Fill) -> None:
    playlist_id, (a, _) = await fill("ab")
    _, (other,) = await fill("c")
    for song_id, after, expected in ((other, a, 404), (a, other, 404), ("x", None, 404), (a, a, 400)):
        assert await order(alice, playlist_id, songId=song_id, after=after) == expected
    assert await titles(alice, playlist_id) == "ab"


async def test_only_a_member_puts_songs_in_order(alice: Any, bob: Any, fill: Fill) -> None:
    playlist_id, (a, b) = await fill("ab")

    assert await order(bob, playlist_id, songIds=[b, a]) == 403
    assert await order(bob, playlist_id, songId=b, after=None) == 403
    assert await order(alice, new_id("playlist"), songIds=[b, a]) == 404
    assert await order(alice, "playlist-x", songId=b, after=None) == 404
    assert await titles(alice, playlist_id) == "ab"


async def test_a_deleted_song_is_no_part_of_the_order_before_it_is_swept_either(
    alice: Any, fill: Fill, connection: Any
) -> None:
    playlist_id, (a, b, c) = await fill("abc")
    await connection.execute("UPDATE songs SET deleted = true WHERE id = %s", [b])

    assert await order(alice, playlist_id, songIds=[c, b, a]) == 400
    assert await order(alice, playlist_id, songId=a, after=b) == 404
    assert await order(alice, playlist_id, songIds=[c, a]) == 200
    assert await titles(alice, playlist_id) == "ca"


async def test_an_order_of_an_older_list_is_refused(
    peers: Any, alice: Any, bob: Any, fill: Fill, revision: Revision
) -> None:
    playlist_id, (a, b) = await fill("ab")
    await alice.share(playlist_id, bob)
    seen = await revision(playlist_id)

    assert await order(bob, playlist_id, songIds=[b, a], revision=seen) == 200
    assert await order(alice, playlist_id, songIds=[a, b], revision=seen) == 400
    assert await order(alice, playlist_id, songIds=[a, b], revision=await revision(playlist_id) + 1) == 400
    await bob.add(playlist_id, peers.add_song("c"))
    assert await order(alice, playlist_id, songIds=[a, b]) == 400

    assert await titles(alice, playlist_id) == "bac"


async def test_of_orders_made_from_one_revision_one_succeeds(
    alice: Any, bob: Any, fill: Fill, revision: Revision
) -> None:
    playlist_id, (a, b, c) = await fill("abc")
    await alice.share(playlist_id, bob)
    seen = await revision(playlist_id)
    wanted = [[b, a, c], [c, b, a], [a, c, b], [c, a, b]] * 4

    statuses = await asyncio.gather(
        *(order(person, playlist_id, songIds=songs, revision=seen) for songs in wanted for person in (alice, bob))
    )

    assert sorted(statuses) == [200] + [400] * 31


@pytest.mark.parametrize("seed", range(3))
async def test_no_move_is_lost_among_others(alice: Any, bob: Any, fill: Fill, seed: int) -> None:
    """Each person moves songs of their own directly after one that nobody moves, so every move can be seen."""
    chance = random.Random(seed)  # noqa: S311 - the same every time
    playlist_id, songs = await fill("xaybz")
    x, a, y, b, z = songs
    await alice.share(playlist_id, bob)

    for _ in range(5):
        hers, his = chance.choice([x, y, z]), chance.choice([x, y, z])
        statuses = await asyncio.gather(
            order(alice, playlist_id, songId=a, after=hers), order(bob, playlist_id, songId=b, after=his)
        )
        assert statuses == [200, 200]
        found = await titles(alice, playlist_id)
        names = dict(zip(songs, "xaybz", strict=True))
        others = {"a": found.replace("b", ""), "b": found.replace("a", "")}
        assert names[hers] + "a" in others["a"]
        assert names[his] + "b" in others["b"]


async def test_a_move_that_waits_for_another_change_starts_from_its_outcome(
    alice: Any, bob: Any, fill: Fill, connection: Any, blocked: Any
) -> None:
    playlist_id, (a, _, c, d) = await fill("abcd")
    await alice.share(playlist_id, bob)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlists WHERE id = %s FOR UPDATE", [playlist_id])
        first = asyncio.create_task(order(alice, playlist_id, songId=d, after=None))
        await eventually(blocked(1))
        second = asyncio.create_task(order(bob, playlist_id, songId=a, after=c))
        await eventually(blocked(2))

    assert [await first, await second] == [200, 200]
    assert await titles(alice, playlist_id) == "dbca"


@pytest.mark.parametrize("change", ["add", "remove"])
async def test_a_song_is_added_or_removed_while_an_order_is_stored(
    peers: Any, alice: Any, bob: Any, fill: Fill, connection: Any, blocked: Any, change: str
) -> None:
    playlist_id, (a, b, c) = await fill("abc")
    await alice.share(playlist_id, bob)
    song_id = peers.add_song("d") if change == "add" else c
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM playlist_songs WHERE song_id = %s FOR UPDATE", [a])
        ordering = asyncio.create_task(order(alice, playlist_id, songIds=[c, b, a]))
        await eventually(blocked(1))
        changing = asyncio.create_task(getattr(bob, change)(playlist_id, song_id))
        await eventually(blocked(2))

    assert await ordering == 200
    assert await changing == (201 if change == "add" else 200)
    assert await titles(alice, playlist_id) == ("cbad" if change == "add" else "ba")


async def test_an_order_that_was_under_way_fails_after_the_collaborator_was_removed(
    alice: Any, bob: Any, fill: Fill, connection: Any, blocked: Any
) -> None:
    playlist_id, (a, b) = await fill("ab")
    await alice.share(playlist_id, bob)
    async with connection.transaction():
        await connection.execute("DELETE FROM collaborations WHERE playlist_id = %s", [playlist_id])
        ordering = asyncio.create_task(order(bob, playlist_id, songIds=[b, a]))

        async def waits_or_is_done() -> bool:
            return ordering.done() or await blocked(1)()

        await eventually(waits_or_is_done)

    assert await ordering == 403
    assert await titles(alice, playlist_id) == "ab"
