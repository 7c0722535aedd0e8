"""Limits the rate of requests: counted in this process, and reported to the other gateways in batches.

Most clients never fill a batch, so that a request costs one dictionary lookup. Each of several gateways may admit a
batch more than the limit before it learns of the others' counts.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from openmusic_gateway.limits.policy import Limit

BATCHES = 20  # per limit
MAX_KEYS = 100_000  # counted in one window, some 15 MB; beyond it this process resets all its counts

Share = Callable[[Limit, str, int, int], Coroutine[Any, Any, bool]]


class Rate:
    """``share`` adds to the count of all gateways for a key in a window, and says whether that is within the limit."""

    def __init__(self, limit: Limit, share: Share, clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._share = share
        self._clock = clock
        self._batch = max(1, limit.amount // BATCHES)
        self._window = 0
        self._counts: dict[str, int] = {}
        self._exhausted: set[str] = set()
        self._reports: set[asyncio.Task[None]] = set()

    def admit(self, key: str) -> str:
        """The state of the limit, empty if there is none. Raises HttpError (429).

        What other gateways admit is not subtracted.
        """
        if not self._limit.amount:
            return ""
        now = self._clock()
        window = int(now // self._limit.seconds)
        if window != self._window:
            self._window, self._counts, self._exhausted = window, {}, set()
        count = self._counts.get(key, 0) + 1
        seconds_left = (window + 1) * self._limit.seconds - now
        if count > self._limit.amount or key in self._exhausted:
            raise self._limit.exceeded(seconds_left)
        if len(self._counts) >= MAX_KEYS and key not in self._counts:
            self._counts.clear()
        self._counts[key] = count
        if count % self._batch == 0:
            task = asyncio.create_task(self._report(key, window))
            self._reports.add(task)
            task.add_done_callback(self._reports.discard)
        return self._limit.state(self._limit.amount - count, seconds_left)

    async def _report(self, key: str, window: int) -> None:
        if not await self._share(self._limit, key, window, self._batch) and window == self._window:
            self._exhausted.add(key)
