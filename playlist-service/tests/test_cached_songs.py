"""The songs of a playlist are cached together with who may read them."""

import asyncio
from typing import Any

import pytest


async def warm(person: Any, playlist_id: str) -> None:
    await person.read(playlist_id)
    assert (await person.read(playlist_id))[1]


async def test_after_each_change_the_first_read_is_fresh_and_the_second_is_cached(
    peers: Any, alice: Any, bob: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song("Talk")
    changes = [
        (alice.add, (song_id,), 201, ["Talk"]),
        (alice.share, (bob,), 201, ["Talk"]),
        (bob.remove, (song_id,), 200, []),
        (alice.unshare, (bob,), 200, []),
    ]
    for change, arguments, status, titles in changes:
        await warm(alice, playlist_id)
        assert await change(playlist_id, *arguments) == status

        assert await alice.read(playlist_id) == (titles, False)
        assert await alice.read(playlist_id) == (titles, True)


async def test_a_cached_answer_is_the_same_byte_for_byte(peers: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist("Söngs – 歌")
    await alice.add(playlist_id, peers.add_song('Quo"te\n'))
    path = f"/playlists/{playlist_id}/songs"

    fresh, cached = await alice.call("GET", path), await alice.call("GET", path)

    assert fresh.content == cached.content
    assert fresh.headers["content-type"] == cached.headers["content-type"] == "application/json"
    assert "X-Data-Source" not in fresh.headers
    assert cached.headers["X-Data-Source"] == "cache"


async def test_a_stranger_is_refused_however_warm_the_cache_is(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    path = f"/playlists/{playlist_id}/songs"

    cold = await bob.call("GET", path)
    await warm(alice, playlist_id)
    hot = await bob.call("GET", path)

    for answer in (cold, hot):
        assert answer.status_code == 403
        assert "X-Data-Source" not in answer.headers


async def test_membership_counts_from_the_next_request_on_however_warm_the_cache_is(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    path = f"/playlists/{playlist_id}/songs"
    for _ in range(10):
        await warm(alice, playlist_id)
        assert await alice.share(playlist_id, bob) == 201
        assert (await bob.call("GET", path)).status_code == 200

        await warm(bob, playlist_id)
        assert await alice.unshare(playlist_id, bob) == 200
        assert (await bob.call("GET", path)).status_code == 403


async def test_a_deleted_playlist_is_not_found_however_warm_the_cache_was(alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    await warm(alice, playlist_id)

    await alice.call("DELETE", f"/playlists/{playlist_id}")

    assert (await alice.call("GET", f"/playlists/{playlist_id}/songs")).status_code == 404


async def test_what_changes_through_one_copy_of_the_service_is_seen_through_the_other(
    peers: Any, start: Any, alice: Any
) -> None:
    other = await start()
    playlist_id, expected = await alice.add_playlist(), []
    path = f"/playlists/{playlist_id}/songs"
    for number in range(10):
        await warm(alice, playlist_id)
        song_id = peers.add_song(f"Song {number}")
        expected.append(f"Song {number}")
        assert (await alice.call("POST", path, {"songId": song_id}, through=other)).status_code == 201

        assert await alice.read(playlist_id) == (expected, False)
        answer = await alice.call("GET", path, through=other)
        assert [song["title"] for song in answer.json()["data"]["playlist"]["songs"]] == expected


async def test_a_read_that_races_with_additions_leaves_nothing_old_behind(peers: Any, alice: Any) -> None:
    playlist_id, stop = await alice.add_playlist(), asyncio.Event()

    async def keep_reading() -> None:
        while not stop.is_set():
            await alice.read(playlist_id)

    readers = [asyncio.create_task(keep_reading()) for _ in range(3)]
    try:
        for number in range(1, 41):
            assert await alice.add(playlist_id, peers.add_song()) == 201
            assert len((await alice.read(playlist_id))[0]) == number
    finally:
        stop.set()
        await asyncio.gather(*readers)
    assert len((await alice.read(playlist_id))[0]) == 40


@pytest.mark.parametrize("port", [1])  # nothing listens there
async def test_without_redis_answers_are_right_but_never_from_the_cache(
    peers: Any, start: Any, alice: Any, port: int
) -> None:
    without = await start(redis_port=port)
    playlist_id = await alice.add_playlist()
    path = f"/playlists/{playlist_id}/songs"
    for number in range(1, 4):
        added = await alice.call("POST", path, {"songId": peers.add_song()}, through=without)
        answer = await alice.call("GET", path, through=without)

        assert added.status_code == 201
        assert len(answer.json()["data"]["playlist"]["songs"]) == number
        assert "X-Data-Source" not in answer.headers
