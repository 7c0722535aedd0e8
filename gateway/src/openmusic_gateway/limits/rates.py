"""Limits what reaches the services: counted in this process, and told to the other gateways in batches.

Most clients never fill a batch, so that their requests cost a look into a dictionary. With several gateways, each may
let through a batch more than the limit before it knows of the others.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from openmusic_gateway.limits.policy import Limit

BATCHES = 20  # in a limit
MAX_KEYS = 100_000  # that are counted in a window, some 15 MB; beyond it all counts of this process begin at zero again

Share = Callable[[Limit, str, int, int], Coroutine[Any, Any, bool]]


class Rate:
    """``share`` adds to what all gateways counted for a key in a window; it tells whether that is within the limit."""

    def __init__(self, limit: Limit, share: Share, clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._share = share
        self._clock = clock
        self._batch = max(1, limit.amount // BATCHES)
        self._window = 0
        self._counts: dict[str, int] = {}
        self._full: set[str] = set()
        self._telling: set[asyncio.Task[None]] = set()

    def admit(self, key: str) -> None:
        """Raises Refused (429) for one too many."""
        if not self._limit.amount:
            return
        now = self._clock()
        window = int(now // self._limit.seconds)
        if window != self._window:
            self._window, self._counts, self._full = window, {}, set()
        count = self._counts.get(key, 0) + 1
        if count > self._limit.amount or key in self._full:
            raise self._limit.refused((window + 1) * self._limit.seconds - now)
        if len(self._counts) >= MAX_KEYS and key not in self._counts:
            self._counts.clear()
        self._counts[key] = count
        if count % self._batch == 0:
            task = asyncio.create_task(self._tell(key, window))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, key: str, window: int) -> None:
        if not await self._share(self._limit, key, window, self._batch) and window == self._window:
            self._full.add(key)
