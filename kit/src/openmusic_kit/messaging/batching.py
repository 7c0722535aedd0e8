"""Applies what waits in one go: what arrives while a batch is being applied makes up the next one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass
class _Entry(Generic[T]):
    item: T
    applied: bool | None = None
    """None until a batch took it; False if that failed."""


class Batcher(Generic[T]):
    """``apply_all`` applies every item or, if it raises, none. One batch is applied at a time.

    An item may be applied although its caller was cancelled, or twice if the end of a batch was not seen.
    """

    def __init__(self, apply_all: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._apply_all = apply_all
        self._waiting: list[_Entry[T]] = []
        self._turn = asyncio.Lock()

    async def apply(self, item: T, alone: Callable[[], Awaitable[None]]) -> None:
        """Returns once the item is applied: with others, or ``alone`` if nothing else waits or their batch failed.

        Raises what ``alone`` raises.
        """
        entry = _Entry(item)
        self._waiting.append(entry)
        async with self._turn:
            if entry.applied is None:
                batch, self._waiting = self._waiting, []
                if len(batch) > 1:
                    await self._apply_together(batch)
                else:
                    await alone()
                    entry.applied = True
        if not entry.applied:
            await alone()

    async def _apply_together(self, batch: list[_Entry[T]]) -> None:
        for entry in batch:
            entry.applied = False
        try:
            await self._apply_all([entry.item for entry in batch])
        except Exception as error:
            logger.warning("batch failed", extra={"size": len(batch), "error": repr(error)})
        else:
            for entry in batch:
                entry.applied = True
