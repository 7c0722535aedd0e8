"""The cover of a playlist: who may set it, who sees it, and what is said of one that nobody needs any more."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from openmusic_kit.ids import new_id
from openmusic_testkit.peers import CREDENTIAL

TRUSTED = {"X-Service-Credential": CREDENTIAL}


SCHEMA = Path(__file__).parents[2] / "contracts" / "events" / "playlist.cover_unused.v1.schema.json"


class Unused:
    """The covers that are announced as unused."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener

    async def next(self) -> tuple[str, str]:
        """The playlist and the path."""
        event = await self._listener.next("playlist.cover_unused.v1")
        jsonschema.validate(event, json.loads(SCHEMA.read_text()))
        assert event["aggregateId"] == event["data"]["playlistId"]
        return event["data"]["playlistId"], event["data"]["path"]


@pytest.fixture
async def unused(listening: Any) -> AsyncIterator[Unused]:
    async with listening() as listener:
        yield Unused(listener)


def path_of(playlist_id: str, name: str) -> str:
    return f"/covers/{playlist_id}/{name}.png"


@pytest.fixture
def set_cover(client: Any) -> Any:
    async def set_cover(person: Any, playlist_id: str, name: str = "first") -> bool | int:
        """As the service does that keeps covers: whether the person may, or the status of a failure."""
        cover = {"path": path_of(playlist_id, name), "userId": person.id}
        answer = await client.put(f"/internal/playlists/{playlist_id}/cover", json=cover, headers=TRUSTED)
        return bool(answer.json()["data"]["allowed"]) if answer.status_code == 200 else int(answer.status_code)

    return set_cover


async def shown(person: Any, playlist_id: str) -> str | None:
    url: str | None = (await person.call("GET", f"/playlists/{playlist_id}")).json()["data"]["playlist"]["coverUrl"]
    return url


async def actions(person: Any, playlist_id: str) -> list[str]:
    answer = await person.call("GET", f"/playlists/{playlist_id}/activities?edits=true")
    return [each["action"] for each in answer.json()["data"]["activities"]]


async def test_members_see_the_cover_that_the_owner_set(set_cover: Any, alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    await alice.share(playlist_id, bob)

    assert await set_cover(alice, playlist_id) is True

    for person in (alice, bob):
        assert await shown(person, playlist_id) == f"http://127.0.0.1:5000{path_of(playlist_id, 'first')}"
    assert await actions(bob, playlist_id) == ["cover"]


async def test_a_cover_that_is_replaced_or_removed_is_announced_and_the_live_one_never(
    set_cover: Any, unused: Unused, alice: Any
) -> None:
    playlist_id = await alice.add_playlist()
    for name in ("first", "second", "second"):  # a call may come twice
        assert await set_cover(alice, playlist_id, name) is True
    assert await unused.next() == (playlist_id, path_of(playlist_id, "first"))

    assert (await alice.call("DELETE", f"/playlists/{playlist_id}/cover")).status_code == 200

    assert await unused.next() == (playlist_id, path_of(playlist_id, "second"))
    assert await shown(alice, playlist_id) is None
    again = await alice.call("DELETE", f"/playlists/{playlist_id}/cover")
    assert (again.status_code, again.json()["message"]) == (404, "The playlist has no cover")
    assert await actions(alice, playlist_id) == ["cover", "cover", "uncover"]


async def test_only_its_owner_changes_it(set_cover: Any, alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist()
    assert await set_cover(bob, playlist_id) is False
    assert await set_cover(alice, playlist_id) is True
    await alice.share(playlist_id, bob)
    await alice.call("PATCH", f"/playlists/{playlist_id}", {"public": True})

    assert await set_cover(bob, playlist_id, "bob's") is False
    assert (await bob.call("DELETE", f"/playlists/{playlist_id}/cover")).status_code == 403
    assert (await shown(bob, playlist_id) or "").endswith(path_of(playlist_id, "first"))
    missing = new_id("playlist")
    assert await set_cover(alice, missing) == 404
    assert (await alice.call("DELETE", f"/playlists/{missing}/cover")).status_code == 404


async def test_it_is_announced_as_unused_when_its_playlist_is_deleted(
    set_cover: Any, unused: Unused, alice: Any
) -> None:
    plain, covered = await alice.add_playlist(), await alice.add_playlist()
    await set_cover(alice, covered)

    for playlist_id in (plain, covered):
        assert (await alice.call("DELETE", f"/playlists/{playlist_id}")).status_code == 200

    assert await unused.next() == (covered, path_of(covered, "first"))


async def test_it_is_announced_as_unused_when_its_owner_is_deleted(
    set_cover: Any, unused: Unused, events: Any, alice: Any
) -> None:
    playlists = [await alice.add_playlist() for _ in range(3)]
    for playlist_id in playlists:
        await set_cover(alice, playlist_id)

    await events.publish("user.deleted", alice.id, 9, {"userId": alice.id})

    assert {await unused.next() for _ in playlists} == {(each, path_of(each, "first")) for each in playlists}


async def test_a_copy_has_no_cover(set_cover: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    await set_cover(alice, playlist_id)

    copy = await alice.call("POST", f"/playlists/{playlist_id}/copy")

    assert await shown(alice, copy.json()["data"]["playlistId"]) is None


async def test_the_service_that_keeps_covers_learns_in_pages_which_are_in_use(
    client: Any, set_cover: Any, alice: Any
) -> None:
    playlists = [await alice.add_playlist() for _ in range(4)]
    for playlist_id in playlists[1:]:
        await set_cover(alice, playlist_id)
    address = "/internal/playlists/covers"

    first = await client.get(address, params={"after": playlists[0], "limit": 1}, headers=TRUSTED)
    rest = await client.get(address, params={"after": playlists[1], "limit": 9}, headers=TRUSTED)

    found = [*first.json()["data"]["covers"], *rest.json()["data"]["covers"]]
    assert found == [{"id": each, "path": path_of(each, "first")} for each in playlists[1:]]
    assert (await client.get(address)).status_code == 401


async def test_the_data_of_a_user_has_the_covers(client: Any, set_cover: Any, alice: Any) -> None:
    playlist_id = await alice.add_playlist()
    await set_cover(alice, playlist_id)

    answer = await client.get(f"/internal/users/{alice.id}/data/playlists", headers=TRUSTED)

    (item,) = answer.json()["data"]["items"]
    assert item["coverUrl"].endswith(path_of(playlist_id, "first"))
