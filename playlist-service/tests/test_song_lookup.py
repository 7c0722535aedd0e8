"""Many questions to the catalogue become few, and no answer is older than its question."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import new_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_playlist.projections.song_lookup import MAX_BATCH, MAX_CONCURRENCY, SongLookup

WISHES = 30


@pytest.fixture
async def lookup(peers: Any, settings: Any) -> AsyncIterator[SongLookup]:
    async with ServiceClient("catalog", peers.url, settings.service_credential.get_secret_value()) as catalog:
        yield SongLookup(catalog)


async def busy(lookup: SongLookup, peers: Any) -> tuple[asyncio.Event, list[asyncio.Task[Any]]]:
    """Has as many questions under way as there may be, until the event is set."""
    let_go = peers.hold_back()
    begun = []
    for number in range(MAX_CONCURRENCY):
        begun.append(asyncio.create_task(lookup.find(peers.add_song(f"First {number}"))))
        while len(peers.asked) <= number:
            await asyncio.sleep(0.01)
    return let_go, begun


async def test_those_who_wait_are_asked_for_together(lookup: SongLookup, peers: Any) -> None:
    let_go, begun = await busy(lookup, peers)
    songs = [peers.add_song(f"Song {number}") for number in range(WISHES)]
    wishes = []
    for song_id in [*songs, new_id("song")]:
        wishes.append(asyncio.create_task(lookup.find(song_id)))
        await asyncio.sleep(0)
    let_go.set()

    *found, missing = await asyncio.gather(*wishes)
    await asyncio.gather(*begun)

    assert [song.title for song in found] == [f"Song {number}" for number in range(WISHES)]
    assert missing is None
    assert len(peers.asked) == MAX_CONCURRENCY + 1


async def test_a_change_before_the_wish_is_in_its_answer(lookup: SongLookup, peers: Any) -> None:
    song_id = peers.add_song("Old")
    let_go = peers.hold_back()
    early = asyncio.create_task(lookup.find(song_id))
    await peers.holding.wait()
    peers.rename(song_id, "New")
    late = asyncio.create_task(lookup.find(song_id))
    await asyncio.sleep(0)
    let_go.set()

    assert [song.title for song in (await early, await late)] == ["Old", "New"]


async def test_more_than_fit_into_a_question_are_all_found(lookup: SongLookup, peers: Any) -> None:
    songs = [peers.add_song(f"Song {number}") for number in range(3 * MAX_BATCH + 1)]

    found = await asyncio.gather(*map(lookup.find, songs))

    assert [song.id for song in found] == songs


async def test_when_the_catalogue_fails_all_who_wait_hear_of_it_and_the_next_are_served(
    lookup: SongLookup, peers: Any
) -> None:
    song_id = peers.add_song("Talk")
    peers.down.add("songs")
    outcomes = await asyncio.gather(*(lookup.find(song_id) for _ in range(WISHES)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}

    peers.down.clear()
    assert (await lookup.find(song_id)).title == "Talk"


async def test_who_goes_away_takes_nobody_along(lookup: SongLookup, peers: Any) -> None:
    let_go, begun = await busy(lookup, peers)
    song_id = peers.add_song("Talk")
    leaving, staying = (asyncio.create_task(lookup.find(song_id)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    let_go.set()

    assert (await staying).title == "Talk"
    await asyncio.gather(*begun)
    assert leaving.cancelled()


async def test_a_catalogue_that_does_not_know_the_question_is_not_believed() -> None:
    async with TestServer(web.Application()) as old, ServiceClient("catalog", str(old.make_url("/")), "x") as catalog:
        with pytest.raises(Unavailable):
            await SongLookup(catalog).find(new_id("song"))
