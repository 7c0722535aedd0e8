"""Redis, with timeouts short enough that nobody waits for a cache."""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from openmusic_kit.settings import CacheSettings

SOCKET_TIMEOUT = 1.0  # seconds; a busy process must not take its own slowness for that of Redis
CONNECTIONS = 50  # of one process; a command waits at most POOL_WAIT seconds for one
POOL_WAIT = 2.0
MAX_WAIT = POOL_WAIT + SOCKET_TIMEOUT
"""Seconds that whoever serves a request should wait for Redis at most; see ``outages``.

Without this bound a command could take longer: the pool, a connection, a script that Redis does not know yet, and all
of that once more if the connection breaks; and a change of many entries takes several commands.
"""


class _Connection(Connection):
    """One that was lost is made again, and never an error that nobody expects.

    redis-py finds out that the other side has closed a connection, but not that it was lost (no answer, a reset);
    writing into it then raises what uvloop says of a closed transport, which is no error of Redis.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        if self._writer is not None and self._writer.is_closing():
            await self.disconnect(nowait=True)
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise RedisConnectionError("the connection was lost") from error


class _TlsConnection(_Connection, SSLConnection):
    pass


class _Pool(ConnectionPool):
    """Waits for a free connection, ``wait`` seconds at most.

    ``BlockingConnectionPool`` does that with a timer and a condition for each command, even while connections are free;
    this took a third of a command's time.
    """

    def __init__(self, *, wait: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._wait = wait
        self._free = asyncio.Semaphore(self.max_connections)

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        await self._acquire()
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        self._in_use_connections.remove(connection)
        try:
            if connection.should_reconnect():  # type: ignore[no-untyped-call]
                await connection.disconnect()
        finally:
            self._available_connections.append(connection)
            self._free.release()

    async def _acquire(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._wait):
                await self._free.acquire()
        except TimeoutError as error:
            raise RedisConnectionError("no connection is free") from error


def open_redis(settings: CacheSettings, *, retries: int = 1) -> Redis:
    """Connects when it is first used. A command is tried once more by default, as a pooled connection may be stale."""
    password = settings.redis_password
    pool = _Pool(
        connection_class=_TlsConnection if settings.redis_tls else _Connection,
        host=settings.redis_server,
        port=settings.redis_port,
        password=password.get_secret_value() if password else None,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=SOCKET_TIMEOUT,
        retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
        max_connections=CONNECTIONS,
        wait=POOL_WAIT,
    )
    return Redis.from_pool(pool)
