"""Connections to PostgreSQL on which nobody waits without an end, even when its packets vanish without a reset.

The kernels notice that the other side is gone while nothing else happens (keepalives) or while something was sent
(``tcp_user_timeout``). What both cannot notice, such as a proxy that takes everything and answers nothing, ends with
the deadline of each answer here.
"""

import select
import time
from typing import Any, Self, cast

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import RV, Params, PQGen, QueryNoTemplate
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, Row
from psycopg_pool import AsyncConnectionPool

from openmusic_kit.settings import DatabaseSettings

CONNECT_TIMEOUT = 3  # seconds
TCP_USER_TIMEOUT = 5  # seconds that sent data may stay unacknowledged before the kernel drops the connection
KEEPALIVE_INTERVAL = 1  # seconds between probes that are not answered
KEEPALIVE_COUNT = 3  # such probes
KEEPALIVE_IDLE = TCP_USER_TIMEOUT - KEEPALIVE_INTERVAL * KEEPALIVE_COUNT  # seconds of silence before the first probe
ALIVE_CHECK = 1  # seconds until PostgreSQL notices that a client has hung up, and ends what it did for it
ANSWER_MARGIN = 1.0  # seconds beyond PostgreSQL's own timeout after which an answer is taken for lost
CANCEL_TIMEOUT = 1.0  # seconds to ask PostgreSQL, on another connection, to end a statement that nobody waits for
IDLE_IN_TRANSACTION_TIMEOUT = 60  # seconds; a process that hangs must not hold locks for ever
RENEWAL_INTERVAL = 1.0  # seconds; all who find dead connections at the same time renew them once
RECONNECT_TIMEOUT = 1.0  # seconds that the pool tries by itself, ever more seldom; then each request makes it try


class BoundedConnection(AsyncConnection[Row]):
    """Closes and raises OperationalError when an answer takes longer than ``answer_timeout`` seconds.

    That holds for every statement, commit and rollback, and for each part of a streamed result.
    """

    answer_timeout: float = CONNECT_TIMEOUT
    spent: bool = False
    """Whether a :class:`SingleStatementCursor` has executed its statement."""
    has_events: bool = False
    """Whether events were stored since the pool handed it out."""

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:  # noqa: ASYNC109 - psycopg's
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        deadline = time.monotonic() + self.answer_timeout
        try:
            return await super().wait(gen, interval, self.answer_timeout)
        except psycopg.OperationalError:
            if time.monotonic() >= deadline:
                self.pgconn.finish()
            raise

    async def cancel_safe(self, *, timeout: float = CANCEL_TIMEOUT) -> None:  # noqa: ASYNC109 - psycopg's
        """What psycopg does when whoever waits is cancelled. Closes the connection if PostgreSQL cannot be reached."""
        try:
            await super().cancel_safe(timeout=min(timeout, CANCEL_TIMEOUT))
        except psycopg.Error:
            self.pgconn.finish()
            raise


class SingleStatementCursor(AsyncCursor[Row]):
    """Executes one statement for its connection; a second would be a transaction of its own."""

    async def execute(  # type: ignore[override]  # template strings are not used
        self,
        query: QueryNoTemplate,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        connection = cast("BoundedConnection[Row]", self.connection)
        if connection.spent:
            raise RuntimeError("autocommit() takes one statement; use unit_of_work() for more")
        connection.spent = True
        return await super().execute(query, params, prepare=prepare, binary=binary)


Connection = BoundedConnection[DictRow]


class ConnectionPool(AsyncConnectionPool[Connection]):
    def __init__(self, conninfo: str, arguments: dict[str, Any], settings: DatabaseSettings) -> None:
        super().__init__(
            conninfo,
            connection_class=BoundedConnection[DictRow],
            kwargs=arguments,
            min_size=1,
            max_size=settings.pg_pool_max,
            timeout=settings.pg_pool_wait,
            max_idle=60,
            reconnect_timeout=RECONNECT_TIMEOUT,
            configure=self._set_deadline,
            check=self._refuse_if_dead,
            open=False,
        )
        self._answer_timeout = answer_timeout(settings)
        self._renewed_at = -RENEWAL_INTERVAL

    async def renew(self) -> None:
        """Replaces all connections: where one is dead, the others are as well.

        The pool would find out one by one, with ever longer waits.
        """
        if time.monotonic() - self._renewed_at >= RENEWAL_INTERVAL:
            self._renewed_at = time.monotonic()
            await self.drain()

    async def _set_deadline(self, connection: Connection) -> None:
        connection.answer_timeout = self._answer_timeout

    async def _refuse_if_dead(self, connection: Connection) -> None:
        """Costs no round trip: a connection that is well has nothing to read."""
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        if not poll.poll(0):
            return
        try:
            await self.check_connection(connection)
        except psycopg.OperationalError:
            await self.renew()
            raise


def answer_timeout(settings: DatabaseSettings) -> float:
    """Seconds until an answer is taken for lost: PostgreSQL itself would have given up on the statement before."""
    return settings.pg_statement_timeout + ANSWER_MARGIN


KEEPALIVES: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": KEEPALIVE_IDLE,
    "keepalives_interval": KEEPALIVE_INTERVAL,
    "keepalives_count": KEEPALIVE_COUNT,
    "tcp_user_timeout": 1000 * TCP_USER_TIMEOUT,
}
"""Of libpq, for this side of a connection."""

SERVER_OPTIONS: dict[str, Any] = {
    "client_connection_check_interval": f"{ALIVE_CHECK}s",
    "tcp_keepalives_idle": KEEPALIVE_IDLE,
    "tcp_keepalives_interval": KEEPALIVE_INTERVAL,
    "tcp_keepalives_count": KEEPALIVE_COUNT,
}
"""Of PostgreSQL, for its side: the locks of a client that vanished are soon released.

No ``tcp_user_timeout``: it would also end the connection of a client that reads a long result slowly.
"""


def parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """Where the database is, and how long it may take to connect; for whatever connects to it."""
    return {
        "host": settings.pghost,
        "port": settings.pgport,
        "user": settings.pguser,
        "password": settings.pgpassword.get_secret_value(),
        "dbname": settings.pgdatabase,
        "connect_timeout": CONNECT_TIMEOUT,
        **KEEPALIVES,
    }


def connection_string(settings: DatabaseSettings) -> str:
    timeouts = {
        "statement_timeout": int(settings.pg_statement_timeout * 1000),
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT}s",
    }
    return make_conninfo(
        application_name=settings.pgdatabase,
        options=server_options(timeouts | SERVER_OPTIONS),
        **parameters(settings),
    )


def server_options(options: dict[str, Any]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in options.items())
