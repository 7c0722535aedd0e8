"""PostgreSQL: a pool, and a unit of work that commits a change together with the events that tell of it."""

import logging
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from openmusic_kit import outbox
from openmusic_kit.errors import Unavailable
from openmusic_kit.events import EventData
from openmusic_kit.settings import DatabaseSettings

logger = logging.getLogger(__name__)

Connection = AsyncConnection[DictRow]

CONNECT_TIMEOUT = 3  # seconds
UNHEARD = 5  # seconds that what was sent may go without the other kernel's word for it; then the connection is dead
IDLE_IN_TRANSACTION_TIMEOUT = 60  # seconds; a process that hangs must not hold locks for ever


class UnitOfWork:
    """One transaction. Nothing is kept unless :meth:`commit` was called."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def record(self, event: EventData, *, aggregate_id: str, sequence: int) -> None:
        """Adds the event to the outbox; it is published if, and only if, this transaction commits."""
        await outbox.append(self.connection, event, aggregate_id, sequence)

    async def commit(self) -> None:
        await self.connection.commit()


class Database:
    """Hands out connections. Whatever keeps PostgreSQL from answering is raised as :class:`Unavailable`."""

    def __init__(self, conninfo: str, pool: AsyncConnectionPool[Connection]) -> None:
        self.conninfo = conninfo
        self._pool = pool

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A connection in autocommit mode, for single statements."""
        async with self._connection() as connection:
            yield connection

    @asynccontextmanager
    async def unit_of_work(self, *, one_statement: bool = False) -> AsyncIterator[UnitOfWork]:
        """With ``one_statement`` that one commits itself, which saves two round trips."""
        async with self._connection() as connection:
            await connection.set_autocommit(one_statement)
            try:
                yield UnitOfWork(connection)
            finally:
                if not connection.closed:
                    await connection.rollback()
                    await connection.set_autocommit(True)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, TooManyRequests) as error:
            raise Unavailable("The database is busy") from error
        except psycopg.errors.QueryCanceled as error:
            raise Unavailable("The database took too long") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            logger.warning("database connection failed", extra={"error": repr(error)})
            raise Unavailable("The database is not available") from error

    async def ping(self) -> None:
        async with self.read() as connection:
            await connection.execute("SELECT 1")


@asynccontextmanager
async def open_database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Does not wait for PostgreSQL: until it answers, requests fail as unavailable and then recover by themselves."""
    conninfo = connection_string(settings)
    arguments: dict[str, Any] = {"autocommit": True, "row_factory": dict_row}
    pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
        conninfo,
        kwargs=arguments,
        min_size=1,
        max_size=settings.pg_pool_max,
        timeout=settings.pg_pool_wait,
        max_idle=60,
        reconnect_timeout=30,
        check=_check,
        open=False,
    )
    await pool.open()
    try:
        yield Database(conninfo, pool)
    finally:
        await pool.close()


async def _check(connection: Connection) -> None:
    """Raises OperationalError when PostgreSQL has hung up, without a round trip: a good one has nothing to read."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def connection_string(settings: DatabaseSettings) -> str:
    statement_timeout = int(settings.pg_statement_timeout * 1000)
    return make_conninfo(
        host=settings.pghost,
        port=settings.pgport,
        user=settings.pguser,
        password=settings.pgpassword.get_secret_value(),
        dbname=settings.pgdatabase,
        connect_timeout=CONNECT_TIMEOUT,
        tcp_user_timeout=1000 * UNHEARD,
        application_name=settings.pgdatabase,
        options=f"-c statement_timeout={statement_timeout} "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT}s",
    )
