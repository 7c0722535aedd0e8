"""Whatever the order of things, and whatever fails: every wish is answered in time, and never with an older state."""

import asyncio
from urllib.parse import parse_qs, urlsplit

from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import Reply
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.projections.schemas import SongAnswer, SongsAnswer
from openmusic_playlist.projections.song_lookup import LOOKUP_TIMEOUT, MAX_CONCURRENCY, SongLookup
from openmusic_testkit.interleavings import World, explore

SONGS = [f"song-{number}" for number in range(2)]


class Catalogue:
    """Answers like the catalogue's client, with the versions that it has when it is asked."""

    def __init__(self, world: World, *, failing: float = 0.0, hanging: float = 0.0) -> None:
        self.versions = dict.fromkeys(SONGS, 1)
        self.under_way = 0
        self.asked: list[str] = []
        self._world = world
        self._failing = failing
        self._hanging = hanging

    async def get(self, path: str) -> Reply:
        self.under_way += 1
        self.asked.append(path)
        assert self.under_way <= MAX_CONCURRENCY
        try:
            await self._world.pause(0.001)  # often the same instant for several questions
            if self._world.chance(self._hanging):
                await asyncio.Event().wait()
            ids = parse_qs(urlsplit(path).query)["ids"][0].split(",")
            songs = [
                SongAnswer(id=song_id, title="", performer="", version=self.versions[song_id])
                for song_id in ids
                if song_id in self.versions
            ]
            body = DataResponse(data=SongsAnswer(songs=songs)).model_dump_json(by_alias=True).encode()
            return await self._world.answer(Reply(True, body), 0.0, failing=self._failing, error=Unavailable)
        finally:
            self.under_way -= 1


async def _wish(world: World, lookup: SongLookup, catalogue: Catalogue, *, may_fail: bool = False) -> None:
    for _ in range(4):
        if world.chance(0.5):
            await world.pause(0.001)
        song_id = world.dice.choice([*SONGS, "song-0", "song-of-nobody"])
        version = catalogue.versions.get(song_id)
        try:
            found = await world.within(LOOKUP_TIMEOUT + 0.001, lookup.find(song_id))
        except Unavailable:
            assert may_fail
        else:
            assert (found is None) == (version is None)
            assert found is None or found.version >= (version or 0)


async def _rename(world: World, catalogue: Catalogue) -> None:
    for _ in range(3):
        await world.pause()
        catalogue.versions[world.dice.choice(SONGS)] += 1


def test_every_wish_is_answered_with_what_was_true_after_it() -> None:
    async def scenario(world: World) -> None:
        catalogue = Catalogue(world)
        lookup = SongLookup(catalogue)
        await world.all([*(_wish(world, lookup, catalogue) for _ in range(6)), _rename(world, catalogue)])

    explore("song lookup", scenario, 1000)  # what it was written for is seen in one of 200


def test_failures_and_wishers_that_go_away_leave_nobody_waiting() -> None:
    async def scenario(world: World) -> None:
        catalogue = Catalogue(world, failing=0.3)
        lookup = SongLookup(catalogue)
        wishes = (_wish(world, lookup, catalogue, may_fail=True) for _ in range(8))
        await world.all(world.cancelled_sometime(wish) for wish in wishes)
        await world.all([_wish(world, lookup, catalogue, may_fail=True)])

    explore("song lookup, with failures", scenario)


def test_a_catalogue_that_hangs_is_waited_for_no_longer_than_was_promised() -> None:
    async def scenario(world: World) -> None:
        catalogue = Catalogue(world, hanging=0.5)
        lookup = SongLookup(catalogue)
        wishes = (_wish(world, lookup, catalogue, may_fail=True) for _ in range(6))
        await world.all(world.cancelled_sometime(wish, 0.001, LOOKUP_TIMEOUT / 2) for wish in wishes)
        catalogue._hanging = 0.0
        await world.pause(LOOKUP_TIMEOUT)
        await world.all([_wish(world, lookup, catalogue)])

    explore("song lookup, hanging", scenario)


def test_nobody_is_asked_about_what_nobody_wants_any_more() -> None:
    async def scenario(world: World) -> None:
        catalogue = Catalogue(world, hanging=1.0)
        lookup = SongLookup(catalogue)
        busy = []
        for song_id in SONGS:
            busy.append(asyncio.ensure_future(lookup.find(song_id)))
            await world.pause(0.001)
        assert catalogue.under_way == MAX_CONCURRENCY
        leaving = asyncio.ensure_future(lookup.find("song-2"))
        await world.pause()
        leaving.cancel()
        await asyncio.wait([leaving])
        await asyncio.wait([*busy, asyncio.ensure_future(world.pause(2 * LOOKUP_TIMEOUT))])
        assert not [path for path in catalogue.asked if "song-2" in path]

    explore("song lookup, left", scenario)
