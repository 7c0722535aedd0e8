"""The composition root of the catalogue."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from openmusic_catalog.albums import endpoints as albums
from openmusic_catalog.albums.service import AlbumService
from openmusic_catalog.likes import endpoints as likes
from openmusic_catalog.likes.service import LikeService
from openmusic_catalog.settings import Settings
from openmusic_catalog.songs import endpoints as songs
from openmusic_catalog.songs.notifier import SongChangeNotifier
from openmusic_catalog.songs.service import SongService
from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.outages import RedisCalls
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.database.database import open_database
from openmusic_kit.identity.token_verification import open_token_verifier
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.relay import OutboxRelay
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.health import HardCheck, Health, SoftCheck

ROUTERS = (
    likes.router,
    likes.protected_router,
    albums.router,
    albums.internal_router,
    songs.router,
    songs.internal_router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings))
            redis = open_redis(settings)
            redis_calls = RedisCalls()
            cache = Cache(redis, database, "catalog", redis_calls)
            await stack.enter_async_context(cache.running())
            broker = Broker(settings.rabbitmq_server.get_secret_value())
            await stack.enter_async_context(broker.running())
            await stack.enter_async_context(OutboxRelay(database, broker).running())
            app.state.token_verifier = await stack.enter_async_context(open_token_verifier(settings))
            app.state.albums = AlbumService(database, cache, settings.public_url, settings.album_cache_ttl)
            app.state.likes = LikeService(database, cache, settings.album_cache_ttl)
            credential = settings.service_credential.get_secret_value()
            playlist = await stack.enter_async_context(ServiceClient("playlist", settings.playlist_url, credential))
            notifier = SongChangeNotifier(PendingChanges(redis, "songs", redis_calls), playlist)
            app.state.songs = SongService(database, cache, notifier)
            app.state.health = Health(
                {
                    "postgresql": HardCheck(database.ping),
                    "redis": SoftCheck(cache.ping),
                    "rabbitmq": SoftCheck(broker.ping),
                    "auth": SoftCheck(app.state.token_verifier.ready),
                }
            )
            yield

    return create_service_app(
        "catalog", settings, lifespan=lifespan, routers=ROUTERS, health=lambda app: app.state.health
    )
