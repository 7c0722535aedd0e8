from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


async def test_who_did_what_is_told_oldest_first(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id, talk, lost = await alice.add_playlist(), peers.add_song("Talk"), peers.add_song("Lost!")
    await alice.share(playlist_id, bob)
    await alice.add(playlist_id, talk)
    await bob.add(playlist_id, lost)
    await bob.remove(playlist_id, talk)

    answer = await bob.call("GET", f"/playlists/{playlist_id}/activities")

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert set(data) == {"playlistId", "activities"}
    assert data["playlistId"] == playlist_id
    assert [(each["username"], each["title"], each["action"]) for each in data["activities"]] == [
        ("alice", "Talk", "add"),
        ("bob", "Lost!", "add"),
        ("bob", "Talk", "delete"),
    ]
    assert all(set(each) == {"username", "title", "action", "time"} for each in data["activities"])


async def test_the_time_says_its_offset(peers: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    await alice.add(playlist_id, peers.add_song())

    [activity] = await alice.activities(playlist_id)

    time = datetime.fromisoformat(activity["time"])
    assert time.utcoffset() is not None
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)


async def test_a_playlist_to_which_nothing_happened_has_no_activities(alice: Any) -> None:
    assert await alice.activities(await alice.add_playlist()) == []


async def test_the_list_is_paged_by_a_link_to_what_comes_next(peers: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    for number in range(5):
        await alice.add(playlist_id, peers.add_song(str(number)))
    titles, path = [], f"/playlists/{playlist_id}/activities?limit=2"
    pages = 0
    while path:
        answer = await alice.call("GET", path)
        titles += [each["title"] for each in answer.json()["data"]["activities"]]
        path = answer.links.get("next", {}).get("url", "")
        pages += 1

    assert titles == ["0", "1", "2", "3", "4"]
    assert pages == 3


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=%21", "cursor=eHh4", "cursor=LTE"])
async def test_a_page_that_makes_no_sense_is_refused(alice: Any, query: str) -> None:
    answer = await alice.call("GET", f"/playlists/{await alice.add_playlist()}/activities?{query}")

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"


async def test_an_activity_survives_its_song(peers: Any, events: Any, applied: Any, alice: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song("Talk")
    await alice.add(playlist_id, song_id)
    del peers.songs[song_id]

    await applied(await events.song("deleted", song_id, 2))

    assert (await alice.read(playlist_id))[0] == []
    assert [(each["action"], each["title"]) for each in await alice.activities(playlist_id)] == [("add", "Talk")]
