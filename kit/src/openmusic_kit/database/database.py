"""PostgreSQL: a pool, transactions, and single statements that commit themselves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from psycopg import AsyncCursor, sql
from psycopg.rows import DictRow, dict_row, scalar_row
from psycopg_pool import PoolTimeout, TooManyRequests

from openmusic_kit.database.connections import (
    ALIVE_CHECK,
    ANSWER_MARGIN,
    IDLE_IN_TRANSACTION_TIMEOUT,
    TCP_USER_TIMEOUT,
    BoundedConnection,
    Connection,
    ConnectionPool,
    SingleStatementCursor,
    answer_timeout,
    connection_string,
)
from openmusic_kit.errors import Unavailable
from openmusic_kit.idempotency.results import Result, must_store, store
from openmusic_kit.settings import DatabaseSettings

__all__ = ["Connection", "Database", "UnitOfWork", "connection_string", "count_up_to", "open_database"]

logger = logging.getLogger(__name__)

ARGUMENTS: dict[str, Any] = {"autocommit": True, "row_factory": dict_row}


class UnitOfWork:
    """One transaction. Nothing is kept unless :meth:`commit` was called."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def commit(self) -> None:
        await self.connection.commit()


class Database:
    """Hands out connections. Whatever keeps PostgreSQL from answering is raised as :class:`Unavailable`."""

    def __init__(self, conninfo: str, pool: ConnectionPool, settings: DatabaseSettings) -> None:
        self.conninfo = conninfo
        self._pool = pool
        self.events_stored = asyncio.Event()
        """Set after a transaction that stored events; cleared by whoever publishes them."""
        self.answer_timeout = answer_timeout(settings)
        """Seconds that any single answer is waited for."""
        self.in_doubt = TCP_USER_TIMEOUT + settings.pg_statement_timeout + ALIVE_CHECK + ANSWER_MARGIN
        """Seconds after which a statement or commit that nobody waits for any more has happened or never will.

        Until then the kernel may still deliver it, PostgreSQL work on it, and notice that the client is gone.
        """
        self.longest_change = IDLE_IN_TRANSACTION_TIMEOUT + self.in_doubt
        """Seconds from the beginning of a change that is left alone in its transaction until its end is certain."""

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A connection for reads; each is a transaction."""
        async with self._connection() as connection:
            yield connection

    @asynccontextmanager
    async def autocommit(self, result: Result | None = None) -> AsyncIterator[Connection]:
        """A connection for one statement that commits itself, which saves two round trips. It refuses a second.

        ``result`` is stored with the change if the request has a key; see :mod:`openmusic_kit.idempotency`.
        """
        if must_store(result):
            async with self.unit_of_work(result) as work:
                yield work.connection
                await work.commit()
            return
        async with self._connection() as connection:
            connection.cursor_factory = SingleStatementCursor
            connection.spent = False
            try:
                yield connection
            finally:
                connection.cursor_factory = AsyncCursor

    @asynccontextmanager
    async def unit_of_work(self, result: Result | None = None) -> AsyncIterator[UnitOfWork]:
        """``result`` is stored with the change if the request has a key; see :mod:`openmusic_kit.idempotency`."""
        async with self._connection() as connection:
            await connection.set_autocommit(False)
            try:
                if result is not None:
                    await store(connection, result)
                yield UnitOfWork(connection)
            finally:
                if not connection.closed:
                    await connection.rollback()
                    await connection.set_autocommit(True)

    @asynccontextmanager
    async def own_connection(self, answer_timeout: float | None = None) -> AsyncIterator[Connection]:
        """A connection in autocommit mode outside the pool, for what lasts. Raises psycopg.Error.

        ``answer_timeout``, in seconds, is by default that of all others.
        """
        connection = await BoundedConnection[DictRow].connect(self.conninfo, **ARGUMENTS)
        connection.answer_timeout = answer_timeout or self.answer_timeout
        async with connection:
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        lost = False
        try:
            async with self._pool.connection() as connection:
                try:
                    yield connection
                finally:
                    lost = connection.closed
                    if connection.has_events:
                        connection.has_events = False
                        self.events_stored.set()
        except (PoolTimeout, TooManyRequests) as error:
            raise Unavailable("The database is busy") from error
        except psycopg.errors.QueryCanceled as error:
            raise Unavailable("The database took too long") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            logger.warning("database connection failed", extra={"error": repr(error)})
            raise Unavailable("The database is not available") from error
        finally:
            if lost:
                await self._pool.renew()

    async def ping(self) -> None:
        async with self.read() as connection:
            await connection.execute("SELECT 1")

    async def metrics(self) -> list[Metric]:
        stats = self._pool.get_stats()
        connections = GaugeMetricFamily(
            "openmusic_database_pool_connections", "Connections of the pool: in use, idle, allowed", labels=["state"]
        )
        open_now, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        for state, count in (("used", open_now - idle), ("idle", idle), ("allowed", stats.get("pool_max", 0))):
            connections.add_metric([state], count)
        return [
            connections,
            CounterMetricFamily(
                "openmusic_database_pool_waits_total",
                "Requests that had to wait for a connection of the pool",
                value=stats.get("requests_queued", 0),
            ),
            CounterMetricFamily(
                "openmusic_database_pool_wait_seconds_total",
                "Seconds that they waited, all together",
                value=stats.get("requests_wait_ms", 0) / 1000,
            ),
            CounterMetricFamily(
                "openmusic_database_pool_timeouts_total",
                "Requests that waited for a connection in vain",
                value=stats.get("requests_errors", 0),
            ),
        ]

    async def log_in(self) -> None:
        """Raises psycopg.Error when a new connection cannot be made."""
        async with self.own_connection():
            pass


async def count_up_to(
    connection: Connection,
    limit: int,
    rows: LiteralString | sql.Composed,
    parameters: Mapping[str, Any],
    *,
    prepare: bool | None = None,
) -> int:
    """Counts what the query ``rows`` gives, but no further than ``limit``."""
    query = sql.SQL(rows) if isinstance(rows, str) else rows
    statement = sql.SQL("SELECT count(*) FROM ({} LIMIT %(limit)s) AS counted").format(query)
    cursor = connection.cursor(row_factory=scalar_row)
    await cursor.execute(statement, {**parameters, "limit": limit}, prepare=prepare)
    return int(await cursor.fetchone() or 0)


@asynccontextmanager
async def open_database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Does not wait for PostgreSQL: until it answers, requests fail as unavailable and then recover by themselves."""
    conninfo = connection_string(settings)
    pool = ConnectionPool(conninfo, ARGUMENTS, settings)
    await pool.open()
    try:
        yield Database(conninfo, pool, settings)
    finally:
        await pool.close()
