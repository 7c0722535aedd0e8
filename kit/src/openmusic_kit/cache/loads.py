"""Single flight: however many readers of this process miss an entry at once, one load fills it."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from openmusic_kit import tasks
from openmusic_kit.cache.generations import Generations
from openmusic_kit.cache.leases import LeasedEntries
from openmusic_kit.cache.lookups import Lookups
from openmusic_kit.cache.outages import RedisCalls
from openmusic_kit.errors import Unavailable

PATIENCE = 0.2  # seconds to wait for another process that is filling the entry
POLL = 0.005  # seconds between two looks while waiting for it

Load = Callable[[], Awaitable[bytes]]


@dataclass
class InFlightLoad:
    """An in-flight load shared by concurrent readers.

    A reader that arrives after loading began (``started``) must not use its result: it may predate a write that the
    reader has seen. The result is None when another process filled the entry: then every reader looks it up again.
    """

    task: asyncio.Task[bytes | None]
    started: bool = False

    async def ended(self) -> None:
        """For readers that may not use the result. Raises Unavailable if it did: no reader waits for two failures."""
        await asyncio.wait([self.task])
        if self.task.cancelled() or isinstance(self.task.exception(), Unavailable):
            raise Unavailable

    async def result(self) -> bytes | None:
        """Raises what ``load`` raised. Cancelling one reader does not cancel the load."""
        await asyncio.wait([self.task])
        if self.task.cancelled():
            raise Unavailable
        return self.task.result()


class InFlightLoads:
    """By entry. A load that takes longer than ``timeout`` seconds is Unavailable."""

    def __init__(
        self,
        entries: LeasedEntries,
        calls: RedisCalls,
        generations: Generations,
        lookups: Lookups[bytes],
        timeout: float,
    ) -> None:
        self.timeout = timeout
        self._entries = entries
        self._calls = calls
        self._generations = generations
        self._lookups = lookups
        self._loads: dict[str, InFlightLoad] = {}

    def join(self, name: str, load: Load, ttl: int) -> InFlightLoad:
        """The load in flight, or a new one."""
        loading = self._loads.get(name)
        if loading is None or loading.task.done():
            loading = InFlightLoad(asyncio.create_task(self._load_once(name, load, ttl), name=f"fill {name}"))
            loading.task.add_done_callback(tasks.mark_seen)
            self._loads[name] = loading
        return loading

    async def stop(self) -> None:
        await tasks.stop(*(loading.task for loading in self._loads.values()))

    async def _load_once(self, name: str, load: Load, ttl: int) -> bytes | None:
        token = uuid.uuid4().hex
        granted = False
        try:
            await asyncio.sleep(0)  # readers that missed in the same moment may still join
            generation = self._generations.current()
            if generation is not None:
                answer = await self._calls.attempt(lambda: self._entries.lease(name, token, generation))
                granted = answer == "granted"
                if answer == "filled" or (answer == "taken" and await self._filled_by_another(name)):
                    return None
            self._loads[name].started = True
            value = await self._in_time(load)
            if granted and generation is not None:
                await self._calls.done(lambda: self._entries.store(name, token, generation, value, ttl))
        except BaseException:
            if granted:
                await self._calls.done(lambda: self._entries.release(name, token))
            raise
        else:
            return value
        finally:
            del self._loads[name]

    async def _in_time(self, load: Load) -> bytes:
        try:
            async with asyncio.timeout(self.timeout):
                return await load()
        except TimeoutError as error:
            raise Unavailable from error

    async def _filled_by_another(self, name: str) -> bool:
        """Waits while another process fills the entry. Returns whether it finished in time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if await self._lookups.get(name) is not None:
                return True
            if not await self._calls.attempt(lambda: self._entries.leased(name)):
                return await self._lookups.get(name) is not None
            await asyncio.sleep(POLL)
        return False
