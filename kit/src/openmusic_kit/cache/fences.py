"""Fences: while a change is under way, nobody may fill the entries that it outdates, nor keep answers for long."""

import asyncio
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from openmusic_kit import tasks
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.cache.leases import LeasedEntries
from openmusic_kit.cache.outages import RedisCalls
from openmusic_kit.edge import messages

RELEASE_RETRY = 0.2  # seconds between attempts to release a fence


@dataclass(eq=False)
class Fence:
    """The fence of one change. It expires after ``lifetime`` seconds."""

    lifetime: float
    in_doubt: float
    """Seconds after which a commit without an answer has happened or never will."""
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    names: list[str] = field(default_factory=list)
    """The entries that it keeps from being filled."""
    tags: list[str] = field(default_factory=list)
    """The answers that gateways were told not to keep for long."""
    registered: bool = True
    """Whether Redis confirmed it for all ``names`` and ``tags``."""
    committed: bool = False
    """Whether the change has committed."""
    hold_for: float = 0.0
    """Seconds that it stays after its release."""
    expires_at: float = field(init=False)

    @property
    def failed(self) -> bool:
        """Whether the change has certainly not been made."""
        return not self.committed and not self.hold_for

    def __post_init__(self) -> None:
        self.expires_at = time.monotonic() + self.lifetime

    def outlasts_doubt(self) -> bool:
        """Whether it stays until a commit that is sent now has certainly happened or failed."""
        if not self.names and not self.tags:
            return True
        return self.registered and time.monotonic() + self.in_doubt <= self.expires_at


class Fences:
    """The fences of one process, around entries whose names begin with ``prefix``."""

    def __init__(self, entries: LeasedEntries, calls: RedisCalls, prefix: str) -> None:
        self._entries = entries
        self._calls = calls
        self._prefix = prefix
        self._unreleased: list[Fence] = []
        self._retrying: asyncio.Task[None] | None = None

    async def extend(self, fence: Fence, invalidations: Iterable[Invalidation]) -> None:
        """Fences more entries and answers, in one step however many there are."""
        names: list[str] = []
        tags: list[str] = []
        for invalidation in invalidations:
            names += [f"{self._prefix}:{key}" for key in invalidation.keys]
            tags += invalidation.tags
        if names or tags:
            fence.names += names
            fence.tags += tags
            holds = list(messages.holds(fence.token, tags, fence.lifetime))
            fence.registered &= await self._calls.done(
                lambda: self._entries.fence(names, fence.token, fence.lifetime, holds)
            )

    async def release(self, fence: Fence) -> bool:
        """Whether Redis dropped the entries and the fence. If it did not, this is retried until the fence expires."""
        if await self._drop(fence):
            return True
        self._unreleased.append(fence)
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry())
        return False

    async def stop(self) -> None:
        if self._retrying is not None:
            await tasks.stop(self._retrying)

    async def _drop(self, fence: Fence) -> bool:
        """Lifts the hold of a change that failed. That of a committed one ends with the purge; one in doubt stays."""
        lifts = list(messages.purges((), [fence.token])) if fence.tags and fence.failed else []
        if not fence.names and not lifts:
            return True
        return await self._calls.done(
            lambda: self._entries.drop(fence.names, fence.token, fence.hold_for, lifts), even_in_an_outage=True
        )

    async def _retry(self) -> None:
        """Saves readers from waiting until the fences expire."""
        while self._unreleased:
            await asyncio.sleep(RELEASE_RETRY)
            while self._unreleased and (
                self._unreleased[0].expires_at < time.monotonic() or await self._drop(self._unreleased[0])
            ):
                self._unreleased.pop(0)
