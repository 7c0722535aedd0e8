from typing import Any

import pytest

from openmusic_kit.ids import new_id


async def test_songs_are_shown_in_the_order_in_which_they_were_added(peers: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist("On the road")
    song_ids = [peers.add_song(f"Song {number}") for number in (3, 1, 2)]
    for song_id in song_ids:
        assert await alice.add(playlist_id, song_id) == 201

    answer = await alice.call("GET", f"/playlists/{playlist_id}/songs")

    songs = [
        {"id": song_id, "title": title, "performer": "Coldplay"}
        for song_id, title in zip(song_ids, ["Song 3", "Song 1", "Song 2"], strict=True)
    ]
    playlist = {"id": playlist_id, "name": "On the road", "username": "alice", "songs": songs}
    assert answer.json() == {"status": "success", "data": {"playlist": playlist}}
    assert answer.headers["content-type"] == "application/json"


async def test_an_empty_playlist_has_no_songs(alice: Any) -> None:
    assert await alice.read(await alice.add_playlist()) == ([], False)


async def test_a_song_can_be_added_only_once(peers: Any, alice: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    assert await alice.add(playlist_id, song_id) == 201

    again = await alice.call("POST", f"/playlists/{playlist_id}/songs", {"songId": song_id})

    assert again.status_code == 400
    assert again.json() == {"status": "fail", "message": "The song is in this playlist already"}
    assert len(await alice.activities(playlist_id)) == 1


async def test_a_song_that_was_removed_can_be_added_again_at_the_end(peers: Any, alice: Any) -> None:
    playlist_id, first, second = await alice.add_playlist(), peers.add_song("1"), peers.add_song("2")
    for song_id in (first, second):
        await alice.add(playlist_id, song_id)

    assert await alice.remove(playlist_id, first) == 200
    assert await alice.add(playlist_id, first) == 201

    assert (await alice.read(playlist_id))[0] == ["2", "1"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("body", [None, [], {}, {"songId": 123}, {"songId": None}, {"songId": ""}, {"songId": ["x"]}])
async def test_a_payload_without_a_song_is_refused_before_anything_is_looked_up(
    alice: Any, bob: Any, method: str, body: Any
) -> None:
    playlist_id = await alice.add_playlist()
    for person, path in [(alice, playlist_id), (bob, playlist_id), (alice, "xxx")]:
        answer = await person.call(method, f"/playlists/{path}/songs", body)

        assert answer.status_code == 400
        assert answer.json()["status"] == "fail"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("song_id", ["xxx", "x" * 300, "../", "\0", "song-" + "0" * 32, "album-" + "0" * 32])
async def test_an_unknown_song_is_not_found_not_even_by_a_stranger(
    alice: Any, bob: Any, method: str, song_id: str
) -> None:
    playlist_id = await alice.add_playlist()
    for person in (alice, bob):
        answer = await person.call(method, f"/playlists/{playlist_id}/songs", {"songId": song_id})

        assert answer.status_code == 404
        assert answer.json()["status"] == "fail"
    assert await alice.activities(playlist_id) == []


async def test_a_stranger_may_do_nothing_with_the_songs(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.add(playlist_id, song_id)
    other = peers.add_song()

    assert await bob.add(playlist_id, other) == 403
    assert await bob.remove(playlist_id, song_id) == 403
    assert (await bob.call("GET", f"/playlists/{playlist_id}/songs")).status_code == 403
    assert (await bob.call("GET", f"/playlists/{playlist_id}/activities")).status_code == 403
    assert (await alice.read(playlist_id))[0] == ["Lost!"]


async def test_a_collaborator_adds_removes_and_reads(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id, first, second = await alice.add_playlist(), peers.add_song("1"), peers.add_song("2")
    await alice.share(playlist_id, bob)
    await alice.add(playlist_id, first)

    assert await bob.add(playlist_id, second) == 201
    assert await bob.remove(playlist_id, first) == 200

    assert (await bob.read(playlist_id))[0] == ["2"]


async def test_removing_what_is_not_in_the_playlist_is_not_found_and_leaves_no_activity(peers: Any, alice: Any) -> None:
    playlist_id, other, song_id = await alice.add_playlist(), await alice.add_playlist(), peers.add_song()
    await alice.add(other, song_id)  # so it is known

    assert await alice.remove(playlist_id, song_id) == 404
    assert await alice.activities(playlist_id) == []
    assert (await alice.read(other))[0] == ["Lost!"]


async def test_every_song_added_a_moment_ago_is_shown(peers: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    expected = []
    for number in range(50):
        expected.append(f"Song {number}")
        assert await alice.add(playlist_id, peers.add_song(expected[-1])) == 201
        assert await alice.read(playlist_id) == (expected, False)


async def test_a_song_id_of_another_kind_is_never_asked_for(peers: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    peers.asked.clear()

    assert await alice.add(playlist_id, new_id("album")) == 404

    assert peers.asked == []
