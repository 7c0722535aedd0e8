"""Many users at the same time."""

import asyncio
import random
from collections.abc import Sequence
from typing import Protocol

from pairs import Pair

CHECKING = 16  # who look at everything at the same time


class Actor(Protocol):
    """A pair, or another user: all that it does comes from its dice."""

    dice: random.Random

    async def step(self) -> object: ...

    async def look_at_everything(self) -> None:
        """After all is over: no read may fail any more."""


class Crowd:
    """The pairs and the ``others``. ``pause`` is how many seconds, on average, each thinks between two steps."""

    def __init__(self, pairs: list[Pair], pause: float, others: Sequence[Actor] = ()) -> None:
        self.pairs = pairs
        self._actors: list[Actor] = [*pairs, *others]
        self._pause = pause
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.create_task(self._live(actor)) for actor in self._actors]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Lets everybody finish what they are at; raises what went wrong in the crowd itself."""
        self._over.set()
        await asyncio.gather(*self._tasks)

    async def _live(self, actor: Actor) -> None:
        await asyncio.sleep(actor.dice.random() * self._pause)
        while not self._over.is_set():
            await actor.step()
            await asyncio.sleep(actor.dice.uniform(0.5, 1.5) * self._pause)

    async def look_at_everything(self) -> None:
        places = asyncio.Semaphore(CHECKING)

        async def one(actor: Actor) -> None:
            async with places:
                await actor.look_at_everything()

        await asyncio.gather(*map(one, self._actors))
