"""``GET /search/playlists``: what is found, what comes first, and whose it is."""

from typing import Any

import httpx
import pytest

PATH = "/search/playlists"


async def search(person: Any, q: str, **query: Any) -> list[str]:
    answer = await person.call("GET", f"{PATH}?{httpx.QueryParams({'q': q, **query})}")
    assert answer.status_code == 200, answer.text
    return [playlist["name"] for playlist in answer.json()["data"]["playlists"]]


async def test_own_and_shared_playlists_are_found_and_no_others(alice: Any, bob: Any) -> None:
    mine, shared = await alice.add_playlist("Mine to run"), await bob.add_playlist("Run together")
    await bob.add_playlist("Run alone")
    public = await bob.add_playlist("Run in public")
    await bob.call("PATCH", f"/playlists/{public}", {"public": True})
    await bob.share(shared, alice)

    answer = await alice.call("GET", f"{PATH}?q=run")

    assert answer.json()["data"]["playlists"] == [
        {"id": shared, "name": "Run together", "username": "bob"},
        {"id": mine, "name": "Mine to run", "username": "alice"},
    ]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Cache-Tag"] == f"playlists:{alice.id}"
    await bob.unshare(shared, alice)
    assert await search(alice, "run") == ["Mine to run"]


async def test_equal_names_come_first_then_those_that_begin_with_it_then_the_shortest(alice: Any) -> None:
    for name in ("An évening with Röck", "Rock", "Rocky", "Rock music", "My rock", "Pop"):
        await alice.add_playlist(name)

    assert await search(alice, "ROCK") == ["Rock", "Rocky", "Rock music", "My rock", "An évening with Röck"]
    assert await search(alice, "rock", limit=2) == ["Rock", "Rocky"]
    assert await search(alice, " röck  EVENING") == ["An évening with Röck"]
    assert await search(alice, "rock pop") == []


@pytest.mark.parametrize(
    ("name", "q"),
    [
        ("Straße", "STRASSE"),
        ("Οδυσσεύς", "ΟΔΥΣΣΕΥΣ"),
        ("Beyonce\u0301", "beyoncé"),
        ("東京", "京"),
        ("100 %", "%"),
        ("a\\b", "\\"),
    ],
)
async def test_writing_does_not_matter_and_signs_stand_for_themselves(alice: Any, name: str, q: str) -> None:
    await alice.add_playlist("Another")
    await alice.add_playlist(name)
    assert await search(alice, q) == [name]


async def test_a_change_is_found_at_once(alice: Any) -> None:
    playlist_id = await alice.add_playlist("Before")
    await alice.call("PATCH", f"/playlists/{playlist_id}", {"name": "After"})
    assert (await search(alice, "before"), await search(alice, "after")) == ([], ["After"])
    await alice.call("DELETE", f"/playlists/{playlist_id}")
    assert await search(alice, "after") == []


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20", "?q=%00", "?q=a&limit=0", "?q=a&limit=51", "?q=" + "x" * 201])
async def test_what_makes_no_sense_is_refused(alice: Any, query: str) -> None:
    assert (await alice.call("GET", PATH + query)).status_code == 400


async def test_only_users_have_playlists(client: Any) -> None:
    assert (await client.get(f"{PATH}?q=a")).status_code == 401
