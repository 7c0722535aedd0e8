"""Readers that meet pending changes, in every order, with failures and with readers that go away."""

import asyncio
from collections.abc import Iterable
from typing import Any

from openmusic_kit.cache.pending_changes import Pending, PendingChange
from openmusic_kit.errors import Unavailable
from openmusic_playlist.projections.freshness import CATCH_UP_TIMEOUT, Freshness
from openmusic_playlist.projections.models import SongCopy
from openmusic_testkit.interleavings import World, explore

SONGS = ("song-a", "song-b")


class Redis:
    """Pending changes; each command takes effect at some moment of its round trip."""

    def __init__(self, world: World) -> None:
        self.changes: dict[str, PendingChange] = {}
        self._world = world

    async def mark(self, name: str, version: int) -> None:
        await self._world.pause()
        if name not in self.changes or self.changes[name].version < version:
            self.changes[name] = PendingChange(version, b'{"version": %d, "song": null}' % version)
        await self._world.pause()

    async def look(self) -> Pending | None:
        await self._world.pause()
        seen = Pending("first", dict(self.changes))
        await self._world.pause()
        return seen

    async def settle(self, name: str, version: int) -> None:
        await self._world.pause()
        if name in self.changes and self.changes[name].version <= version:
            del self.changes[name]
        await self._world.pause()


class Copies(Freshness):
    """Stands for the database: a change is in it when its transaction has committed."""

    def __init__(self, world: World, redis: Redis, *, failing: float = 0.0, hanging: float = 0.0) -> None:
        nothing: Any = None
        stand_in: Any = redis
        super().__init__(nothing, nothing, nothing, stand_in, nothing)
        self.versions = dict.fromkeys(SONGS, 1)
        self.transactions = 0
        self._world = world
        self.failing = failing
        self.hanging = hanging

    async def apply(self, songs: Iterable[SongCopy]) -> None:
        songs = list(songs)
        self.transactions += 1
        await self._world.answer(None, failing=self.failing, error=Unavailable)
        if self._world.chance(self.hanging):
            await asyncio.Event().wait()
        for song in songs:
            self.versions[song.id] = max(self.versions[song.id], song.version)
        for song in songs:
            await self._pending.settle(song.id, song.version)


async def _change(world: World, redis: Redis, acknowledged: dict[str, int]) -> None:
    for version in range(2, 5):
        await world.pause()
        name = world.dice.choice(SONGS)
        await redis.mark(name, version)
        acknowledged[name] = max(acknowledged[name], version)


async def _read(world: World, copies: Copies, acknowledged: dict[str, int], *, may_fail: bool = False) -> None:
    for _ in range(3):
        await world.pause()
        expected = dict(acknowledged)
        try:
            await world.within(CATCH_UP_TIMEOUT + 0.1, copies.catch_up())
        except Unavailable:
            assert may_fail
        else:
            assert all(copies.versions[name] >= version for name, version in expected.items())


def _scenario(*, failing: float, hanging: float, cancelling: float) -> Any:
    async def scenario(world: World) -> None:
        redis = Redis(world)
        copies = Copies(world, redis, failing=failing, hanging=hanging)
        acknowledged = dict.fromkeys(SONGS, 1)
        may_fail = bool(failing or hanging)
        readers = (
            world.cancelled_sometime(_read(world, copies, acknowledged, may_fail=may_fail), probability=cancelling)
            for _ in range(5)
        )
        await world.all([*readers, _change(world, redis, acknowledged)])
        copies.failing = copies.hanging = 0.0
        await world.pause(2 * CATCH_UP_TIMEOUT)  # what still hangs holds the lock until then
        await _read(world, copies, acknowledged)
        assert redis.changes == {}

    return scenario


def test_a_read_sees_every_change_that_was_acknowledged_before_it() -> None:
    explore("pending changes", _scenario(failing=0.0, hanging=0.0, cancelling=0.0))


def test_failures_and_readers_that_go_away_let_no_read_miss_a_change() -> None:
    explore("pending changes, with failures", _scenario(failing=0.3, hanging=0.0, cancelling=0.5))


def test_a_database_that_hangs_is_waited_for_no_longer_than_was_promised() -> None:
    explore("pending changes, hanging", _scenario(failing=0.0, hanging=0.4, cancelling=0.5))


def test_readers_who_meet_the_same_change_apply_it_once() -> None:
    async def scenario(world: World) -> None:
        redis = Redis(world)
        copies = Copies(world, redis)
        await redis.mark(SONGS[0], 2)
        await world.all([copies.catch_up() for _ in range(8)])
        assert copies.transactions == 1

    explore("pending changes, shared", scenario)
