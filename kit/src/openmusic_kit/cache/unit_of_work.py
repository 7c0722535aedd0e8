from collections.abc import Awaitable, Callable, Iterable

from openmusic_kit.cache.fences import Fence, Fences
from openmusic_kit.cache.generations import Generations
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.database.database import Connection, UnitOfWork
from openmusic_kit.idempotency.results import store_tags

Purge = Callable[[Iterable[str], Iterable[str]], Awaitable[None]]
"""Takes the edge tags that a committed change outdated, and the holds that announced it."""


class CachedUnitOfWork(UnitOfWork):
    """A unit of work that invalidates cached entries: nobody fills them before it commits, and none is left after."""

    def __init__(self, connection: Connection, fence: Fence, fences: Fences, generations: Generations) -> None:
        super().__init__(connection)
        self._fence = fence
        self._fences = fences
        self._generations = generations

    async def invalidate(self, *invalidations: Invalidation) -> None:
        """To be called before :meth:`commit`, in which it takes effect."""
        await self._fences.extend(self._fence, invalidations)

    async def commit(self) -> None:
        """No older entry is read after this, even if this process dies before it sees the commit.

        Either the fence outlasts the commit, or the change moves the generation.
        """
        if not self._fence.outlasts_doubt():
            await self._generations.bump(self.connection)
        await store_tags(self.connection, self._fence.tags)
        await super().commit()
        self._fence.committed = True
