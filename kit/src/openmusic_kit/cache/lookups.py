"""Keys that are looked up in the same moment are one command."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MAX_BATCH = 32  # keys of one command; an entry may have a megabyte

V = TypeVar("V")
Find = Callable[[list[str]], Awaitable[Mapping[str, V]]]


@dataclass(eq=False)
class _Batch(Generic[V]):
    keys: dict[str, None] = field(default_factory=dict)
    found: "asyncio.Task[Mapping[str, V]]" = field(init=False)


class Lookups(Generic[V]):
    """``find`` gets the keys of one moment and returns what there is; it must have a deadline."""

    def __init__(self, find: Find[V]) -> None:
        self._find = find
        self._open: _Batch[V] | None = None

    async def get(self, key: str) -> V | None:
        """What was there at some time after this was called. Raises what ``find`` raises."""
        batch = self._open
        if batch is None or len(batch.keys) == MAX_BATCH:
            batch = self._open = _Batch()
            batch.found = asyncio.create_task(self._send(batch))
        batch.keys[key] = None
        return (await asyncio.shield(batch.found)).get(key)

    async def _send(self, batch: _Batch[V]) -> Mapping[str, V]:
        await asyncio.sleep(0)  # whoever asks in the same moment joins; whoever asks later must not get this answer
        if self._open is batch:
            self._open = None
        return await self._find(list(batch.keys))
