import asyncio
from typing import Any

import pytest

from openmusic_kit.ids import new_id


async def test_a_collaboration_is_answered_with_its_id_and_a_message(alice: Any, bob: Any) -> None:
    body = {"playlistId": await alice.add_playlist(), "userId": bob.id}

    added = await alice.call("POST", "/collaborations", body)
    deleted = await alice.call("DELETE", "/collaborations", body)

    assert added.status_code == 201
    assert added.json()["message"]
    assert added.json()["data"]["collaborationId"].startswith("collab-")
    assert deleted.status_code == 200
    assert deleted.json()["message"]


async def test_a_collaborator_is_added_only_once(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()

    statuses = await asyncio.gather(*(alice.share(playlist_id, bob) for _ in range(10)))

    assert sorted(statuses) == [201] + [400] * 9


async def test_nobody_collaborates_with_oneself(alice: Any) -> None:
    playlist_id = await alice.add_playlist()

    assert await alice.share(playlist_id, alice) == 400
    assert await alice.unshare(playlist_id, alice) == 404


async def test_only_the_owner_says_who_collaborates(alice: Any, bob: Any, person: Any) -> None:
    playlist_id, eve = await alice.add_playlist(), person("eve")
    await alice.share(playlist_id, bob)

    for other in (bob, eve):
        assert await other.share(playlist_id, eve) == 403
        assert await other.unshare(playlist_id, bob) == 403


async def test_who_does_not_collaborate_cannot_be_removed(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()

    assert await alice.unshare(playlist_id, bob) == 404


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("odd", ["xxx", "x" * 300, "\0", "../"])
async def test_unknown_playlists_and_users_are_not_found_not_even_by_strangers(
    alice: Any, bob: Any, method: str, odd: str
) -> None:
    playlist_id = await alice.add_playlist()
    for asking in (alice, bob):
        for body in (
            {"playlistId": odd, "userId": bob.id},
            {"playlistId": new_id("playlist"), "userId": bob.id},
            {"playlistId": playlist_id, "userId": odd},
            {"playlistId": playlist_id, "userId": new_id("user")},
        ):
            answer = await asking.call(method, "/collaborations", body)

            assert answer.status_code == 404
            assert answer.json()["status"] == "fail"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"playlistId": "x"},
        {"userId": "x"},
        {"playlistId": 1, "userId": "x"},
        {"playlistId": "x", "userId": True},
    ],
)
async def test_a_payload_that_makes_no_sense_is_refused(alice: Any, method: str, body: Any) -> None:
    answer = await alice.call(method, "/collaborations", body)

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"


async def test_a_former_collaborator_is_shut_out_of_everything(peers: Any, alice: Any, bob: Any) -> None:
    playlist_id, song_id, other = await alice.add_playlist(), peers.add_song(), peers.add_song()
    await alice.share(playlist_id, bob)
    await bob.add(playlist_id, song_id)

    await alice.unshare(playlist_id, bob)

    assert await bob.add(playlist_id, other) == 403
    assert await bob.remove(playlist_id, song_id) == 403
    for path in ("songs", "activities"):
        assert (await bob.call("GET", f"/playlists/{playlist_id}/{path}")).status_code == 403
    assert (await bob.call("GET", "/playlists")).json()["data"]["playlists"] == []
