"""What the service does while those who own songs and users do not answer."""

from typing import Any

from openmusic_kit.ids import new_id


async def test_an_owner_of_playlists_is_asked_for_only_once(peers: Any, alice: Any) -> None:
    for _ in range(3):
        await alice.add_playlist()

    assert peers.asked.count(f"/internal/users/{alice.id}") == 1


async def test_a_token_of_somebody_unknown_is_worth_nothing(peers: Any, person: Any) -> None:
    ghost = person("ghost")
    del peers.users[ghost.id]

    assert (await ghost.call("POST", "/playlists", {"name": "x"})).status_code == 401


async def test_a_known_user_needs_no_owner_of_users(peers: Any, alice: Any) -> None:
    await alice.add_playlist()
    peers.down.add("users")

    assert (await alice.call("POST", "/playlists", {"name": "x"})).status_code == 201


async def test_without_the_owner_of_users_an_unknown_one_has_to_wait(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    peers.down.add("users")
    body = {"playlistId": playlist_id, "userId": bob.id}

    for answer in (
        await bob.call("POST", "/playlists", {"name": "x"}),
        await alice.call("POST", "/collaborations", body),
    ):
        assert answer.status_code == 503
        assert answer.json()["status"] == "error"
        assert int(answer.headers["Retry-After"]) >= 1

    peers.down.clear()
    assert await alice.share(playlist_id, bob) == 201


async def test_an_announced_user_is_known_without_asking(peers: Any, events: Any, applied: Any, person: Any) -> None:
    carol = person("carol")
    await applied(await events.publish("user.registered", carol.id, 1, {"userId": carol.id, "username": "carol"}))
    peers.down.add("users")

    await carol.add_playlist()

    assert (await carol.call("GET", "/playlists")).json()["data"]["playlists"][0]["username"] == "carol"


async def test_without_the_catalogue_a_known_song_can_be_added(peers: Any, alice: Any) -> None:
    playlist_id, other, song_id = await alice.add_playlist(), await alice.add_playlist(), peers.add_song("Talk")
    await alice.add(other, song_id)
    peers.down.add("songs")

    assert await alice.add(playlist_id, song_id) == 201
    assert (await alice.read(playlist_id))[0] == ["Talk"]


async def test_without_the_catalogue_an_announced_song_can_be_added(
    peers: Any, events: Any, applied: Any, alice: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song("Talk")
    await applied(await events.song("created", song_id, 1, "Talk"))
    peers.down.add("songs")

    assert await alice.add(playlist_id, song_id) == 201


async def test_without_the_catalogue_an_unknown_song_has_to_wait(peers: Any, alice: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    peers.down.add("songs")

    answer = await alice.call("POST", f"/playlists/{playlist_id}/songs", {"songId": song_id})

    assert answer.status_code == 503
    assert answer.json()["status"] == "error"
    assert int(answer.headers["Retry-After"]) >= 1
    peers.down.clear()
    assert await alice.add(playlist_id, song_id) == 201


async def test_without_the_catalogue_a_deleted_song_is_not_brought_back(
    peers: Any, events: Any, applied: Any, alice: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await applied(await events.song("created", song_id, 1, "Talk"), await events.song("deleted", song_id, 2))
    peers.down.add("songs")

    assert await alice.add(playlist_id, song_id) in (404, 503)
    assert (await alice.read(playlist_id))[0] == []


async def test_a_catalogue_that_hangs_is_not_waited_for_longer_than_a_few_seconds(peers: Any, alice: Any) -> None:
    playlist_id, other = await alice.add_playlist(), await alice.add_playlist()
    known, unknown = peers.add_song("Talk"), peers.add_song()
    await alice.add(other, known)
    peers.hold_back()

    assert await alice.add(playlist_id, known) == 201
    assert await alice.add(playlist_id, unknown) == 503


async def test_reading_needs_neither_of_them(peers: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    await alice.add(playlist_id, peers.add_song("Talk"))
    peers.down |= {"songs", "users"}
    peers.asked.clear()

    assert (await alice.read(playlist_id))[0] == ["Talk"]
    assert len(await alice.activities(playlist_id)) == 1
    assert (await alice.call("GET", "/playlists")).status_code == 200
    assert peers.asked == []


async def test_a_user_who_was_never_registered_cannot_collaborate(alice: Any, peers: Any) -> None:
    body = {"playlistId": await alice.add_playlist(), "userId": new_id("user")}

    assert (await alice.call("POST", "/collaborations", body)).status_code == 404
    assert peers.asked[-1] == f"/internal/users/{body['userId']}"
