"""Songs are matched by title and performer, for services that know only those."""

from typing import Any

import httpx
import pytest

from openmusic_testkit.peers import CREDENTIAL

PATH = "/internal/songs/matches"


async def ask(client: httpx.AsyncClient, *wanted: tuple[Any, Any], credential: str = CREDENTIAL) -> httpx.Response:
    songs = [{"title": title, "performer": performer} for title, performer in wanted]
    return await client.post(PATH, json={"songs": songs}, headers={"X-Service-Credential": credential})


async def match(client: httpx.AsyncClient, *wanted: tuple[str, str]) -> list[str | None]:
    answer = await ask(client, *wanted)
    assert answer.status_code == 200, answer.text
    return [song and song["id"] for song in answer.json()["data"]["songs"]]


async def test_titles_and_performers_are_compared_folded_and_answered_in_order(
    client: httpx.AsyncClient, add_song: Any
) -> None:
    halo = await add_song(title="Halo", performer="Beyoncé")
    strasse = await add_song(title="Straße", performer="Οδυσσεύς")

    found = await match(client, ("STRASSE", "ΟΔΥΣΣΕΥΣ"), ("halo", "x"), ("HALO", "beyonce"), ("Hal", "Beyoncé"))

    assert found == [strasse, None, halo, None]


async def test_the_answer_is_what_a_copy_needs(client: httpx.AsyncClient, add_song: Any) -> None:
    song_id = await add_song(title="One & only", performer="Match")
    answer = await ask(client, ("one & only", "match"))
    song = {"id": song_id, "title": "One & only", "performer": "Match", "version": 1}
    assert answer.json()["data"] == {"songs": [song]}


async def test_the_oldest_of_equal_songs_is_found_for_each_who_wants_it(
    client: httpx.AsyncClient, add_song: Any
) -> None:
    first, *_ = [await add_song(title="Equal", performer="Twice") for _ in range(3)]
    other = await add_song(title="Equal", performer="Other")
    assert await match(client, ("equal", "twice"), ("equal", "other"), ("EQUAL", "twice")) == [first, other, first]


async def test_texts_are_compared_beyond_what_the_index_holds(client: httpx.AsyncClient, add_song: Any) -> None:
    title = "long" * 100
    song_id = await add_song(title=title, performer="Index")
    assert await match(client, (title, "Index"), (title + "x", "Index"), (title[:300], "Index")) == [
        song_id,
        None,
        None,
    ]


@pytest.mark.parametrize("text", ["'; --", "\\", "%", "_", "\u200d", "\ufeff"])
async def test_no_text_is_special(client: httpx.AsyncClient, text: str) -> None:
    assert await match(client, (text, text)) == [None]


async def test_a_request_is_bounded(client: httpx.AsyncClient) -> None:
    assert await match(client) == []
    assert len(await match(client, *[("a", "b")] * 1000)) == 1000
    assert (await ask(client, *[("a", "b")] * 1001)).status_code == 400
    assert (await ask(client, ("a" * 1001, "b"))).status_code == 400
    assert (await ask(client, ("a\0", "b"))).status_code == 400
    assert (await ask(client, (1, "b"))).status_code == 400


async def test_only_services_may_ask(client: httpx.AsyncClient) -> None:
    assert (await ask(client, credential="guessed")).status_code == 401
