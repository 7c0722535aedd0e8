"""Redis, with timeouts short enough that nobody waits for a cache."""

from redis.asyncio import BlockingConnectionPool, Redis
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


def open_redis(settings: CacheSettings, *, retries: int = 1) -> Redis:
    """Connects when it is first used. A command is tried once more by default, as a pooled connection may be stale."""
    password = settings.redis_password
    pool = BlockingConnectionPool(
        host=settings.redis_server,
        port=settings.redis_port,
        password=password.get_secret_value() if password else None,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=SOCKET_TIMEOUT,
        retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
        max_connections=CONNECTIONS,
        timeout=POOL_WAIT,
    )
    return Redis.from_pool(pool)
