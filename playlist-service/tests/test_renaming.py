"""A song that the catalogue renames is renamed in every playlist, also in those that are cached."""

from typing import Any

from openmusic_testkit.waiting import eventually


async def test_a_renamed_song_shows_in_every_playlist_within_two_seconds(
    peers: Any, events: Any, alice: Any, bob: Any
) -> None:
    song_id = peers.add_song("Talk")
    playlists = [(person, await person.add_playlist()) for person in (alice, alice, bob)]
    for person, playlist_id in playlists:
        assert await person.add(playlist_id, song_id) == 201
    for person, playlist_id in playlists[1:]:
        await person.read(playlist_id)
        assert await person.read(playlist_id) == (["Talk"], True)

    await events.song("updated", song_id, peers.rename(song_id, "Talk 2"), "Talk 2")

    for person, playlist_id in playlists:

        async def renamed(person: Any = person, playlist_id: str = playlist_id) -> bool:
            return (await person.read(playlist_id))[0] == ["Talk 2"]

        async def cached_again(person: Any = person, playlist_id: str = playlist_id) -> bool:
            titles, hit = await person.read(playlist_id)
            assert titles == ["Talk 2"]
            return bool(hit)

        await eventually(renamed)
        await eventually(cached_again)


async def test_news_that_arrive_with_an_addition_reach_the_other_playlists_too(
    peers: Any, events: Any, applied: Any, alice: Any, start: Any
) -> None:
    song_id = peers.add_song("Talk")
    cached, other = await alice.add_playlist(), await alice.add_playlist()
    replica = await start()
    await alice.add(cached, song_id)
    await alice.read(cached)
    assert await alice.read(cached) == (["Talk"], True)

    version = peers.rename(song_id, "Talk 2")
    body = {"songId": song_id}  # asked for before the event has arrived
    assert (await alice.call("POST", f"/playlists/{other}/songs", body, through=replica)).status_code == 201

    assert await alice.read(cached) == (["Talk 2"], False)
    await applied(await events.song("updated", song_id, version, "Talk 2"))
    assert (await alice.read(cached))[0] == ["Talk 2"]


async def test_an_activity_keeps_the_title_of_its_time(peers: Any, events: Any, applied: Any, alice: Any) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    await applied(await events.song("updated", song_id, peers.rename(song_id, "Talk 2"), "Talk 2"))
    await alice.remove(playlist_id, song_id)

    assert [(each["action"], each["title"]) for each in await alice.activities(playlist_id)] == [
        ("add", "Talk"),
        ("delete", "Talk 2"),
    ]
