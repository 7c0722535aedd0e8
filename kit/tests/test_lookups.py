"""Many lookups as few commands, none of which is older than its question."""

import asyncio

from openmusic_kit.cache.lookups import MAX_BATCH, Lookups
from openmusic_testkit.interleavings import World, explore


class Store:
    """Answers with the time at which it was read."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.commands: list[list[str]] = []
        self.failing = 0.0

    async def find(self, keys: list[str]) -> dict[str, float]:
        self.commands.append(keys)
        await self.world.pause(0.0, 0.1)
        read_at = self.world.now
        await self.world.pause(0.0, 0.1)
        if self.world.chance(self.failing):
            raise OSError
        return {key: read_at for key in keys if key != "nothing"}


def test_no_answer_is_older_than_its_question() -> None:
    async def scenario(world: World) -> None:
        store = Store(world)
        store.failing = world.dice.choice((0.0, 0.3))
        lookups = Lookups(store.find)

        async def reader() -> None:
            await world.pause(0.0, 0.3)
            asked = world.now
            try:
                found = await lookups.get(world.dice.choice("abc"))
            except OSError:
                assert store.failing
            else:
                assert found is not None and found >= asked

        readers = [asyncio.create_task(reader()) for _ in range(20)]
        for each in world.dice.sample(readers, 5):
            await world.pause(0.0, 0.1)
            each.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        for each in readers:
            if not each.cancelled():
                each.result()

    explore("lookups", scenario, 300)


async def test_what_is_asked_in_the_same_moment_is_asked_once() -> None:
    commands: list[list[str]] = []

    async def find(keys: list[str]) -> dict[str, str]:
        commands.append(keys)
        return {key: key for key in keys if key != "nothing"}

    lookups = Lookups(find)
    asked = ["same"] * 1000 + [f"key {number}" for number in range(MAX_BATCH)] + ["nothing"]
    found = await asyncio.gather(*(lookups.get(key) for key in asked))
    assert found == [key if key != "nothing" else None for key in asked]
    assert [len(command) for command in commands] == [MAX_BATCH, 2]


def test_a_reader_that_is_cancelled_does_not_take_the_answer_from_the_others() -> None:
    async def scenario(world: World) -> None:
        lookups = Lookups(Store(world).find)
        readers = [asyncio.create_task(lookups.get("key")) for _ in range(3)]
        await asyncio.sleep(0)
        readers.pop(world.dice.randrange(3)).cancel()
        assert all([await each for each in readers])

    explore("lookups, cancelled", scenario, 100)
