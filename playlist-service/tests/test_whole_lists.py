"""Lists are whole unless a client asks for pages, however long they are."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from openmusic_kit.web.paging import PAGE_SIZE
from openmusic_playlist.activities.service import ActivityService
from openmusic_playlist.playlists.errors import NotYourPlaylist

SIZES = [0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE, 2 * PAGE_SIZE + 1]
Fill = Callable[[Any, int], Awaitable[tuple[str, list[str]]]]


@pytest.fixture(params=["playlists", "activities"])
def fill(request: pytest.FixtureRequest, connection: Any) -> Fill:
    """Makes a list of so many entries; gives its path, and what tells its entries apart, in order."""

    async def playlists(person: Any, number: int) -> tuple[str, list[str]]:
        await connection.execute("INSERT INTO users VALUES (%s, 'alice') ON CONFLICT DO NOTHING", [person.id])
        await connection.execute("DELETE FROM playlists WHERE owner_id = %s", [person.id])
        await connection.execute(
            "INSERT INTO playlists (id, name, owner_id)"
            " SELECT 'playlist-' || lpad(number::text, 32, '0') || %(owner)s, number, %(owner)s"
            " FROM generate_series(1, %(number)s) AS number",
            {"owner": person.id, "number": number},
        )
        return "/playlists", [str(each + 1) for each in range(number)]

    async def activities(person: Any, number: int) -> tuple[str, list[str]]:
        playlist_id = await person.add_playlist()
        await connection.execute(
            "INSERT INTO activities (playlist_id, user_id, title, action)"
            " SELECT %(playlist)s, %(user)s, number, 'add' FROM generate_series(1, %(number)s) AS number",
            {"playlist": playlist_id, "user": person.id, "number": number},
        )
        return f"/playlists/{playlist_id}/activities", [str(each + 1) for each in range(number)]

    return {"playlists": playlists, "activities": activities}[request.param]


def shown(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    data = answer.json()["data"]
    if "playlists" in data:
        assert all(set(each) == {"id", "name", "username"} for each in data["playlists"])
        return [each["name"] for each in data["playlists"]]
    assert set(data) == {"playlistId", "activities"}
    assert all(set(each) == {"username", "title", "action", "time"} for each in data["activities"])
    return [each["title"] for each in data["activities"]]


@pytest.mark.parametrize("size", SIZES)
async def test_a_list_of_any_length_is_counted_for_those_who_ask(
    client: httpx.AsyncClient, alice: Any, fill: Fill, size: int
) -> None:
    path, expected = await fill(alice, size)

    counted = await client.get(path, headers={**alice.headers, "Prefer": "count=exact"})

    assert shown(counted) == expected
    assert counted.headers["X-Total-Count"] == str(size)
    assert counted.headers["Vary"] == (await alice.call("GET", path)).headers["Vary"] == "Prefer"


@pytest.mark.parametrize("size", SIZES)
async def test_without_a_limit_the_list_is_whole(alice: Any, fill: Fill, size: int) -> None:
    path, expected = await fill(alice, size)

    answer = await alice.call("GET", path)
    assert "X-Total-Count" not in answer.headers

    assert shown(answer) == expected
    assert "Link" not in answer.headers
    assert answer.headers["Content-Type"] == "application/json"
    kept = size < PAGE_SIZE
    assert ("Content-Length" in answer.headers, "Cache-Tag" in answer.headers) == (kept, kept)


@pytest.mark.parametrize(("size", "limit", "pages"), [(4, 2, 2), (5, 2, 3), (PAGE_SIZE + 1, PAGE_SIZE, 2), (2, 2, 1)])
async def test_with_a_limit_it_comes_in_pages(alice: Any, fill: Fill, size: int, limit: int, pages: int) -> None:
    path, expected = await fill(alice, size)
    found, following = [], f"{path}?limit={limit}"
    for _ in range(pages):
        answer = await alice.call("GET", following)
        assert "Cache-Tag" in answer.headers
        assert len(shown(answer)) <= limit
        found += shown(answer)
        following = answer.links.get("next", {}).get("url", "")

    assert found == expected
    assert following == ""


async def test_a_cursor_without_a_limit_gives_all_that_follows(alice: Any, fill: Fill) -> None:
    path, expected = await fill(alice, PAGE_SIZE + 10)
    page = await alice.call("GET", f"{path}?limit=5")
    cursor = httpx.URL(page.links["next"]["url"]).params["cursor"]

    assert shown(await alice.call("GET", f"{path}?cursor={cursor}")) == expected[5:]


async def test_a_long_list_ends_where_its_reader_loses_it(
    alice: Any, bob: Any, connection: Any, peers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    playlist_id = await alice.add_playlist()
    await alice.add(playlist_id, peers.add_song())
    await alice.share(playlist_id, bob)
    await connection.execute(
        "INSERT INTO activities (playlist_id, user_id, title, action)"
        " SELECT %s, %s, 't', 'add' FROM generate_series(1, 2000)",
        [playlist_id, alice.id],
    )
    path = f"/playlists/{playlist_id}/activities"
    assert len(shown(await bob.call("GET", path))) == 2001
    read = ActivityService.of_playlist

    async def removed_after_the_first(*given: Any) -> Any:
        rows = await read(*given)
        await connection.execute("DELETE FROM collaborations WHERE playlist_id = %s", [playlist_id])
        return rows

    monkeypatch.setattr(ActivityService, "of_playlist", removed_after_the_first)
    with pytest.raises(RuntimeError, match="response already started") as failure:
        await bob.call("GET", path)
    assert isinstance(failure.value.__cause__, NotYourPlaylist)
