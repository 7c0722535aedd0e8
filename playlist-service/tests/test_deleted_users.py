"""Users who delete their account: their playlists and collaborations go, and none comes back."""

import asyncio
from typing import Any

import pytest
from psycopg import AsyncConnection

from openmusic_kit.database.database import connection_string
from openmusic_playlist.projections import user_projection
from openmusic_testkit.waiting import eventually


@pytest.fixture
def delete(events: Any, connection: Any) -> Any:
    """Announces that the user was deleted, and waits until that was applied."""

    async def delete(user_id: str) -> None:
        await events.publish("user.deleted", user_id, 9, {"userId": user_id})

        async def done() -> bool:
            cursor = await connection.execute(
                """
                SELECT (SELECT deleted FROM users WHERE id = %(id)s) AND NOT EXISTS (
                    SELECT FROM playlists WHERE owner_id = %(id)s UNION ALL
                    SELECT FROM collaborations WHERE user_id = %(id)s
                ) AS done
                """,
                {"id": user_id},
            )
            return bool((await cursor.fetchone())["done"])

        await eventually(done)

    return delete


async def test_what_belongs_to_a_deleted_user_goes_and_what_belongs_to_others_stays(
    delete: Any, alice: Any, bob: Any, peers: Any, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_projection, "BATCH", 2)
    song_id = peers.add_song("Lost!")
    mine, theirs = [await alice.add_playlist("Mine") for _ in range(3)], [await bob.add_playlist() for _ in range(3)]
    for playlist_id in mine:
        assert await alice.share(playlist_id, bob) == 201
        assert await bob.add(playlist_id, song_id) == 201
    for playlist_id in theirs:
        assert await bob.share(playlist_id, alice) == 201
        assert await alice.add(playlist_id, song_id) == 201
        assert (await bob.read(playlist_id), await bob.read(playlist_id))[1] == (["Lost!"], True)

    await delete(alice.id)

    listed = (await bob.call("GET", "/playlists")).json()["data"]["playlists"]
    assert [each["id"] for each in listed] == theirs
    for playlist_id in mine:
        assert (await bob.call("GET", f"/playlists/{playlist_id}/songs")).status_code == 404
    for playlist_id in theirs:
        assert await bob.read(playlist_id) == (["Lost!"], False)
        assert [(each["username"], each["action"]) for each in await bob.activities(playlist_id)] == [
            ("deleted user", "add")
        ]
        shown = (await bob.call("GET", f"/playlists/{playlist_id}/collaborators")).json()["data"]["collaborators"]
        assert shown == []
        assert (await alice.call("GET", f"/playlists/{playlist_id}/songs")).status_code == 403
    cursor = await connection.execute("SELECT 1 FROM users WHERE username = %s AND id = %s", [alice.username, alice.id])
    assert await cursor.fetchone() is None


async def test_the_token_of_a_deleted_user_stores_nothing(delete: Any, alice: Any, bob: Any) -> None:
    playlist_id = await bob.add_playlist()
    await alice.add_playlist()

    await delete(alice.id)

    answer = await alice.call("POST", "/playlists", {"name": "Again"})
    assert (answer.status_code, answer.json()["status"]) == (401, "fail")
    assert await bob.share(playlist_id, alice) == 404
    assert (await alice.call("GET", "/playlists")).json()["data"]["playlists"] == []
    await delete(alice.id)  # an event may come twice


async def test_a_user_who_was_never_heard_of_is_deleted_as_well(delete: Any, alice: Any) -> None:
    await delete(alice.id)

    assert (await alice.call("POST", "/playlists", {"name": "x"})).status_code == 401


@pytest.mark.parametrize("kind", ["user.registered", "user.renamed"])
async def test_a_late_event_does_not_restore_a_deleted_user(
    delete: Any, events: Any, applied: Any, alice: Any, connection: Any, kind: str
) -> None:
    await delete(alice.id)

    await applied(await events.publish(kind, alice.id, 10, {"userId": alice.id, "username": "alice"}))

    cursor = await connection.execute("SELECT username, deleted FROM users WHERE id = %s", [alice.id])
    assert await cursor.fetchone() == {"username": "deleted user", "deleted": True}
    assert (await alice.call("POST", "/playlists", {"name": "x"})).status_code == 401


async def test_a_playlist_that_is_added_during_the_deletion_does_not_stay(
    delete: Any, alice: Any, settings: Any, connection: Any
) -> None:
    """The first playlist is under way when the event comes: its transaction has locked the copy of the user."""
    await alice.add_playlist()
    async with await AsyncConnection.connect(connection_string(settings)) as under_way:
        await under_way.execute("SELECT 1 FROM users WHERE id = %s FOR SHARE", [alice.id])
        await under_way.execute("INSERT INTO playlists (id, name, owner_id) VALUES ('playlist-x', 'x', %s)", [alice.id])
        deletion = asyncio.create_task(delete(alice.id))

        async def waiting() -> bool:
            cursor = await connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return await cursor.fetchone() is not None

        await eventually(waiting)
        await under_way.commit()
    await deletion

    cursor = await connection.execute("SELECT 1 FROM playlists WHERE owner_id = %s", [alice.id])
    assert await cursor.fetchone() is None


async def test_what_is_stored_for_a_user_waits_for_a_deletion_that_is_under_way(
    alice: Any, bob: Any, settings: Any, connection: Any
) -> None:
    await alice.add_playlist()
    theirs = await bob.add_playlist()
    async with await AsyncConnection.connect(connection_string(settings)) as deletion:
        await deletion.execute("UPDATE users SET deleted = true WHERE id = %s", [alice.id])
        adding = asyncio.create_task(alice.call("POST", "/playlists", {"name": "x"}))
        sharing = asyncio.create_task(bob.share(theirs, alice))

        async def both_waiting() -> bool:
            cursor = await connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return len(await cursor.fetchall()) == 2

        await eventually(both_waiting)
        await deletion.commit()

    assert ((await adding).status_code, await sharing) == (401, 404)


async def test_a_renamed_user_has_the_new_name_everywhere(
    events: Any, applied: Any, alice: Any, bob: Any, peers: Any
) -> None:
    mine, theirs = await alice.add_playlist(), await bob.add_playlist()
    assert (await alice.share(mine, bob), await bob.share(theirs, alice)) == (201, 201)
    assert await alice.add(theirs, peers.add_song()) == 201
    for _ in range(2):
        await bob.read(mine)

    renaming = await events.publish("user.renamed", alice.id, 3, {"userId": alice.id, "username": "alicia"})
    await applied(renaming)
    await applied(await events.publish("user.renamed", alice.id, 2, {"userId": alice.id, "username": "older"}))

    answer = await bob.call("GET", f"/playlists/{mine}/songs")
    assert (answer.json()["data"]["playlist"]["username"], "X-Data-Source" in answer.headers) == ("alicia", False)
    assert [each["username"] for each in await bob.activities(theirs)] == ["alicia"]
    listed = (await bob.call("GET", "/playlists")).json()["data"]["playlists"]
    assert {each["id"]: each["username"] for each in listed} == {mine: "alicia", theirs: "bob"}
