"""What a process opens: each kind in one way, closed in reverse order, with a health check derived from it.

A kind is imported when it is opened: a service without a database need not load its driver, nor one without a cache
its client.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from openmusic_kit.metrics import Source
from openmusic_kit.settings import BrokerSettings, CacheSettings, DatabaseSettings, IdentitySettings, ServiceSettings
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.health import Check, HardCheck, Health, LoginCheck, SoftCheck

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from openmusic_kit.cache.cache import Cache
    from openmusic_kit.cache.generations import Generations
    from openmusic_kit.cache.outages import RedisCalls
    from openmusic_kit.cache.pending_changes import PendingChanges
    from openmusic_kit.database.database import Database
    from openmusic_kit.edge.publisher import PurgePublisher
    from openmusic_kit.identity.token_verifier import TokenVerifier
    from openmusic_kit.messaging.broker import Broker
    from openmusic_kit.messaging.topology import Queue

T = TypeVar("T")


class Resources:
    """To be entered on the event loop that uses what it opens."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._checks: dict[str, HardCheck | SoftCheck] = {}
        self.metrics: list[Source] = []
        """Asked at each scrape."""
        self.generations: Generations | None = None
        """Of the cache, once it is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def health(self) -> Health:
        """Checks everything that was opened so far."""
        return Health(self._checks)

    async def open(self, resource: AbstractAsyncContextManager[T]) -> T:
        return await self._stack.enter_async_context(resource)

    def check(self, name: str, check: Check, *, required: bool, log_in: Check | None = None) -> None:
        """``required`` is what the service does not work without: it is not ready while the check raises.

        ``log_in`` makes a new connection and closes it, now and then.
        """
        login = None if log_in is None else LoginCheck(log_in)
        self._checks[name] = HardCheck(check, login) if required else SoftCheck(check, login)

    async def database(self) -> Database:
        from openmusic_kit.database.database import open_database  # noqa: PLC0415 - see above

        database = await self.open(open_database(self._settings_of(DatabaseSettings)))
        self.check("postgresql", database.ping, required=True, log_in=database.log_in)
        self.metrics.append(database.metrics)
        return database

    async def cache(self, name: str, database: Database) -> Cache:
        from openmusic_kit.cache.cache import Cache  # noqa: PLC0415 - see above

        cache = Cache(self._redis, database, name, self._redis_calls)
        await self.open(cache.running())
        self.generations = cache.generations
        self.check("redis", cache.ping, required=False, log_in=self._log_in_to_redis)
        return cache

    def pending_changes(self, kind: str) -> PendingChanges:
        """For a service that opens a cache: it is closed with that."""
        from openmusic_kit.cache.pending_changes import PendingChanges  # noqa: PLC0415 - see above

        return PendingChanges(self._redis, kind, self._redis_calls)

    def purge_publisher(self) -> PurgePublisher:
        """For a service that opens a cache: it is closed with that."""
        from openmusic_kit.edge.publisher import PurgePublisher  # noqa: PLC0415 - see above

        return PurgePublisher(self._redis)

    def broker(self, *, required: bool = False) -> Broker:
        """Not connected yet: open its ``running()`` after all subscriptions."""
        from openmusic_kit.messaging.broker import Broker  # noqa: PLC0415 - see above

        broker = Broker(self._settings_of(BrokerSettings).rabbitmq_server.get_secret_value())
        self.check("rabbitmq", broker.ping, required=required, log_in=broker.log_in)
        self.metrics.append(broker.metrics)
        return broker

    async def outbox_relay(self, database: Database, *queues: Queue, broker: Broker | None = None) -> None:
        """Publishes the outbox of the database, and has the queues declared before.

        ``broker`` may have subscriptions; it is opened here.
        """
        from openmusic_kit.messaging.relay import OutboxRelay  # noqa: PLC0415 - see above

        broker = broker or self.broker()
        for queue in queues:
            broker.ensure_queue(queue)
        await self.open(broker.running())
        relay = OutboxRelay(database, broker)
        self.metrics.append(relay.metrics)
        await self.open(relay.running())

    async def token_verifier(self) -> TokenVerifier:
        from openmusic_kit.identity.token_verification import open_token_verifier  # noqa: PLC0415 - see above

        verifier = await self.open(open_token_verifier(self._settings_of(IdentitySettings)))
        self.check("auth", verifier.ready, required=False)
        return verifier

    async def client(self, name: str, url: str) -> ServiceClient:
        """Of another service, by its address."""
        return await self.open(ServiceClient(name, url, self._settings.service_credential.get_secret_value()))

    async def _log_in_to_redis(self) -> None:
        from openmusic_kit.cache.redis_client import open_redis  # noqa: PLC0415 - see above

        async with open_redis(self._settings_of(CacheSettings), retries=0) as redis:
            await redis.ping()

    @cached_property
    def _redis(self) -> Redis:
        from openmusic_kit.cache.redis_client import open_redis  # noqa: PLC0415 - see above

        return open_redis(self._settings_of(CacheSettings))

    @cached_property
    def _redis_calls(self) -> RedisCalls:
        from openmusic_kit.cache.outages import RedisCalls  # noqa: PLC0415 - see above

        return RedisCalls()

    def _settings_of(self, kind: type[T]) -> T:
        if not isinstance(self._settings, kind):
            raise TypeError(f"{type(self._settings).__name__} is no {kind.__name__}")
        return self._settings
