"""What a playlist is called and who may see it, its members, and the activities that tell of it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from openmusic_kit.ids import new_id


async def details(person: Any, playlist_id: str) -> Any:
    answer = await person.call("GET", f"/playlists/{playlist_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["playlist"]


async def change(person: Any, playlist_id: str, **fields: Any) -> int:
    return int((await person.call("PATCH", f"/playlists/{playlist_id}", fields)).status_code)


async def edits(person: Any, playlist_id: str) -> list[tuple[str, str, str]]:
    answer = await person.call("GET", f"/playlists/{playlist_id}/activities?edits=true")
    return [(each["username"], each["action"], each["title"]) for each in answer.json()["data"]["activities"]]


async def test_a_new_playlist_is_private_and_counted(alice: Any, bob: Any, peers: Any) -> None:
    before = datetime.now(UTC)
    playlist_id = await alice.add_playlist("Mine")
    found = await details(alice, playlist_id)
    created = found.pop("createdAt")
    assert found.pop("changedAt") == created
    assert abs((datetime.fromisoformat(created) - before).total_seconds()) < 60
    assert found == {
        "id": playlist_id,
        "name": "Mine",
        "description": "",
        "public": False,
        "owner": {"id": alice.id, "username": "alice"},
        "songCount": 0,
        "collaboratorCount": 0,
        "revision": 0,
        "coverUrl": None,
    }

    await alice.add(playlist_id, peers.add_song())
    await alice.share(playlist_id, bob)

    found = await details(bob, playlist_id)
    assert (found["songCount"], found["collaboratorCount"]) == (1, 1)
    assert found["revision"] > 0
    assert found["changedAt"] > created


async def test_a_deleted_song_does_not_count_before_it_is_swept_either(alice: Any, peers: Any, connection: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.add(playlist_id, song_id)
    await connection.execute("UPDATE songs SET deleted = true WHERE id = %s", [song_id])

    assert (await details(alice, playlist_id))["songCount"] == 0


async def test_its_owner_changes_it_piece_by_piece(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist("Mine")
    await alice.share(playlist_id, bob)
    for person in (alice, bob):
        await person.read(playlist_id)

    assert await change(alice, playlist_id, name="Ours") == 200
    assert await change(alice, playlist_id, description="For the road", name="Ours") == 200
    assert await change(alice, playlist_id) == 200

    found = await details(bob, playlist_id)
    assert (found["name"], found["description"], found["public"]) == ("Ours", "For the road", False)
    for person in (alice, bob):
        assert (await person.call("GET", "/playlists")).json()["data"]["playlists"][0]["name"] == "Ours"
        answer = await person.call("GET", f"/playlists/{playlist_id}/songs")
        assert answer.json()["data"]["playlist"]["name"] == "Ours"
    assert await edits(bob, playlist_id) == [("alice", "rename", "Ours"), ("alice", "describe", "Ours")]
    assert await change(alice, playlist_id, description="") == 200
    assert (await details(alice, playlist_id))["description"] == ""


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": None}, {"name": 1}, {"description": None}, {"description": "x" * 1001}, {"public": "yes"}],
    ids=str,
)
async def test_a_change_that_makes_no_sense_is_refused(alice: Any, bob: Any, fields: Any) -> None:
    playlist_id = await alice.add_playlist("Mine")

    assert await change(alice, playlist_id, **fields) == 400
    assert await change(bob, playlist_id, **fields) == 400
    assert (await details(alice, playlist_id))["name"] == "Mine"


async def test_only_its_owner_changes_it(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist("Mine")
    assert await change(bob, playlist_id, name="Bob's") == 403
    await alice.share(playlist_id, bob)
    assert await change(bob, playlist_id, public=True) == 403
    for missing in (new_id("playlist"), "playlist-x"):
        assert await change(alice, missing, name="x") == 404
        assert (await alice.call("GET", f"/playlists/{missing}")).status_code == 404


async def test_everyone_reads_a_public_playlist_until_it_is_private_again(alice: Any, bob: Any, peers: Any) -> None:
    playlist_id = await alice.add_playlist()
    await alice.add(playlist_id, peers.add_song("Yellow"))
    paths = (f"/playlists/{playlist_id}", f"/playlists/{playlist_id}/songs")
    assert [(await bob.call("GET", path)).status_code for path in paths] == [403, 403]

    assert await change(alice, playlist_id, public=True) == 200

    for _ in range(2):
        assert [(await bob.call("GET", path)).status_code for path in paths] == [200, 200]
    assert (await bob.read(playlist_id)) == (["Yellow"], True)
    for path in ("activities", "collaborators"):
        assert (await bob.call("GET", f"/playlists/{playlist_id}/{path}")).status_code == 403
    assert await bob.add(playlist_id, peers.add_song()) == 403
    assert (await bob.call("GET", "/playlists")).json()["data"]["playlists"] == []

    assert await change(alice, playlist_id, public=False) == 200

    assert [(await bob.call("GET", path)).status_code for path in paths] == [403, 403]
    assert [action for _, action, _ in await edits(alice, playlist_id)] == ["add", "publish", "unpublish"]


async def test_edits_are_shown_only_to_those_who_ask_for_them_and_in_order(alice: Any, peers: Any) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song("Yellow")
    for name in ("One", "Two"):
        await change(alice, playlist_id, name=name)
        await alice.add(playlist_id, song_id)
        await alice.remove(playlist_id, song_id)

    plain = await alice.activities(playlist_id)
    assert [each["action"] for each in plain] == ["add", "delete"] * 2
    path, pages = f"/playlists/{playlist_id}/activities?edits=true&limit=2", []
    while path:
        answer = await alice.call("GET", path)
        pages += [each["action"] for each in answer.json()["data"]["activities"]]
        path = answer.links.get("next", {}).get("url", "")
    assert pages == ["rename", "add", "delete"] * 2


async def test_a_collaborator_leaves(alice: Any, bob: Any, person: Any) -> None:
    carol = person("carol")
    playlist_id = await alice.add_playlist("Ours")
    await alice.share(playlist_id, bob)
    await alice.share(playlist_id, carol)
    await bob.read(playlist_id)
    path = f"/playlists/{playlist_id}/collaborators"
    answer = await bob.call("GET", path)
    assert answer.json()["data"] == {
        "collaborators": [{"id": bob.id, "username": "bob"}, {"id": carol.id, "username": "carol"}]
    }

    assert (await bob.call("DELETE", f"{path}/me")).status_code == 200

    assert (await bob.call("GET", f"/playlists/{playlist_id}/songs")).status_code == 403
    assert (await bob.call("GET", "/playlists")).json()["data"]["playlists"] == []
    assert (await bob.call("DELETE", f"{path}/me")).status_code == 403
    assert [each["id"] for each in (await alice.call("GET", path)).json()["data"]["collaborators"]] == [carol.id]
    assert await edits(alice, playlist_id) == [("bob", "leave", "Ours")]


async def test_who_is_no_collaborator_cannot_leave(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    for person, path, expected in (
        (alice, f"/playlists/{playlist_id}", 400),
        (bob, f"/playlists/{playlist_id}", 403),
        (bob, f"/playlists/{new_id('playlist')}", 404),
    ):
        assert (await person.call("DELETE", f"{path}/collaborators/me")).status_code == expected
