"""The generation of a cache: one number in the database of its service. Entries of another generation are not read.

It is there for changes that Redis could not be told of, perhaps by one process only while the others go on reading.
Such a change moves the number in its own transaction, and is not acknowledged before every process knows the new number
or leaves the cache alone because its knowledge is too old: a lease, after Gray and Cheriton, "Leases" (SOSP 1989).
Gateways ask for the number as well, and keep nothing for long that began to be fetched before it moved.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psycopg

from openmusic_kit import tasks
from openmusic_kit.database.database import Connection, Database
from openmusic_kit.errors import Unavailable

logger = logging.getLogger(__name__)

LEASE = 1.0  # seconds that a look at the number is good for, from the moment it began
BEAT = 0.25  # seconds between looks
MARGIN = 0.05  # seconds for clocks that do not run alike
PATIENCE = 3 * LEASE
"""Seconds until a look is given up with its connection. What it found would be out of date after one lease, but a
database that is only slow must not be connected to again and again."""


@dataclass(frozen=True)
class Look:
    """The number, and how many seconds ago it was certainly right."""

    number: int
    age: float


class Generations:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._number = 0
        self._looked_at = -LEASE
        self._looked = asyncio.Event()
        self.longest_change = database.longest_change
        """Seconds after which a change that has begun has certainly committed or failed."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch(), name="cache-generation")
        with suppress(TimeoutError):
            async with asyncio.timeout(LEASE):
                await self._looked.wait()
        try:
            yield
        finally:
            await tasks.stop(watching)

    def current(self) -> int | None:
        """None when it is not known for certain: then the cache must not be used."""
        return self._number if time.monotonic() < self._looked_at + LEASE else None

    def look(self) -> Look:
        """The latest one, which may be too old to be used. Raises Unavailable before the first."""
        if not self._looked.is_set():
            raise Unavailable("The cache's generation is not known yet")
        return Look(self._number, time.monotonic() - self._looked_at)

    async def bump(self, connection: Connection) -> None:
        """Makes all entries outdated once the transaction commits. The last thing to do in it: others wait here."""
        await connection.execute("UPDATE cache_generation SET number = number + 1")

    async def wait_until_visible(self) -> None:
        """Returns when no process uses a number from before this call."""
        await asyncio.sleep(LEASE + MARGIN)

    async def _watch(self) -> None:
        """On a connection of its own: a pool that is exhausted must not switch off what spares the database."""
        while True:
            try:
                async with self._database.own_connection(PATIENCE) as connection:
                    while True:
                        await self._look(connection)
                        await asyncio.sleep(BEAT)
            except psycopg.Error as error:
                logger.debug("the cache's generation is not known", extra={"error": repr(error)})
            await asyncio.sleep(BEAT)

    async def _look(self, connection: Connection) -> None:
        began = time.monotonic()
        cursor = await connection.execute("SELECT number FROM cache_generation")
        row = await cursor.fetchone()
        self._number = row["number"] if row else 0
        self._looked_at = began
        self._looked.set()
