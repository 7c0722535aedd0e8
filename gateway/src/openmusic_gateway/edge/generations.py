"""Whether each service's changes are announced: the number that a service moves with any change that was not.

A service that cannot announce a change in Redis moves its *generation* in the transaction of the change (see
``openmusic_kit.cache.generations``). While it is in use, the gateway asks for it several times a second. What it knows
is a lease, counted from the moment at which the service looked.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from pydantic import BaseModel, ValidationError

from openmusic_kit import tasks
from openmusic_kit.cache.generations import BEAT, LEASE, MARGIN

logger = logging.getLogger(__name__)

PATIENCE = LEASE / 2  # seconds until another replica is asked
IDLE = 300.0  # seconds after which nobody is asked any more until something is fetched


class Generation(BaseModel):
    """What a service says: its number, how many seconds ago it looked, and how many a change takes at most."""

    number: int
    age: float
    longest_change: float


Ask = Callable[[str], Awaitable[Generation]]
"""Asks a replica of this service. Raises ClientError, OSError or ValidationError when there is no answer."""


@dataclass
class _Known:
    number: int | None = None
    good_until: float = 0.0
    longest_change: float = 0.0


class Generations:
    """``on_change`` is called when a number has moved, which is also so when it becomes known."""

    def __init__(
        self,
        services: Iterable[str],
        ask: Ask,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._on_change = on_change
        self._clock = clock
        self._known = {service: _Known() for service in services}
        self._wanted = asyncio.Event()
        self._wanted_at = 0.0
        self.settled_since = math.inf
        """Since when no replica serves from its cache what is older than the last number that moved."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        asking = [asyncio.create_task(self._keep_asking(service)) for service in self._known]
        try:
            yield
        finally:
            await tasks.stop(*asking)

    def want(self) -> None:
        """To be called when something is fetched that could be kept for long."""
        self._wanted_at = self._clock()
        self._wanted.set()

    @property
    def known(self) -> bool:
        """Whether every change that was not announced, and committed more than a lease ago, is known here."""
        now = self._clock()
        return all(now < known.good_until for known in self._known.values())

    @property
    def longest_change(self) -> float:
        """Seconds that the change of any service takes at most."""
        return max((known.longest_change for known in self._known.values()), default=0.0)

    async def _keep_asking(self, service: str) -> None:
        failures = 0
        while True:
            if self._wanted_at + IDLE < self._clock():
                self._wanted.clear()
            await self._wanted.wait()
            began = self._clock()
            try:
                async with asyncio.timeout(PATIENCE):
                    generation = await self._ask(service)
            except (aiohttp.ClientError, OSError, ValidationError) as error:  # TimeoutError is an OSError
                failures += 1
                logger.debug("generation not known", extra={"peer": service, "error": repr(error)})
            else:
                failures = 0
                self._learn(self._known[service], generation, began)
            await asyncio.sleep(0 if failures == 1 else BEAT)  # another replica may know it before the lease ends

    def _learn(self, known: _Known, generation: Generation, began: float) -> None:
        if known.number != generation.number:
            known.number = generation.number
            self.settled_since = self._clock() + LEASE + MARGIN
            self._on_change()
        known.longest_change = generation.longest_change
        known.good_until = max(known.good_until, began - generation.age + LEASE - MARGIN)
