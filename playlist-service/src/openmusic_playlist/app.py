"""The composition root of the playlist service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.outages import RedisCalls
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.database.database import open_database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.identity.token_verification import open_token_verifier
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.health import HardCheck, Health, SoftCheck
from openmusic_playlist.activities import endpoints as activities
from openmusic_playlist.activities.service import ActivityService
from openmusic_playlist.collaborations import endpoints as collaborations
from openmusic_playlist.collaborations.service import CollaborationService
from openmusic_playlist.playlist_songs import endpoints as playlist_songs
from openmusic_playlist.playlist_songs.reader import PlaylistReader
from openmusic_playlist.playlist_songs.service import PlaylistSongService
from openmusic_playlist.playlists import endpoints as playlists
from openmusic_playlist.playlists.service import PlaylistService
from openmusic_playlist.projections import endpoints as projections
from openmusic_playlist.projections.consumer import SUBSCRIPTION, ProjectionConsumer
from openmusic_playlist.projections.directories import SongDirectory, UserDirectory
from openmusic_playlist.projections.freshness import Freshness
from openmusic_playlist.projections.song_lookup import SongLookup
from openmusic_playlist.settings import Settings

ROUTERS = (
    playlists.router,
    playlists.internal_router,
    playlist_songs.router,
    playlist_songs.internal_router,
    activities.router,
    collaborations.router,
    projections.internal_router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings))
            redis = open_redis(settings)
            redis_calls = RedisCalls()
            cache, purges = Cache(redis, database, "playlist", redis_calls), PurgePublisher(redis)
            await stack.enter_async_context(cache.running())
            credential = settings.service_credential.get_secret_value()
            catalog = await stack.enter_async_context(ServiceClient("catalog", settings.catalog_url, credential))
            auth = await stack.enter_async_context(ServiceClient("auth", settings.auth_url, credential))
            broker = Broker(settings.rabbitmq_server.get_secret_value())
            pending = PendingChanges(redis, "songs", redis_calls)
            broker.subscribe(SUBSCRIPTION, ProjectionConsumer(database, cache, purges, pending))
            await stack.enter_async_context(broker.running())
            app.state.token_verifier = await stack.enter_async_context(open_token_verifier(settings))
            lookup = SongLookup(catalog)
            freshness = app.state.freshness = Freshness(database, cache, purges, pending, lookup)
            users = UserDirectory(database, auth)
            app.state.playlists = PlaylistService(database, cache, users, freshness)
            app.state.playlist_songs = PlaylistSongService(database, cache, SongDirectory(database, lookup, freshness))
            app.state.playlist_reader = PlaylistReader(database, cache, freshness, settings.songs_cache_ttl)
            app.state.activities = ActivityService(database)
            app.state.collaborations = CollaborationService(database, cache, users)
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
        "playlist", settings, lifespan=lifespan, routers=ROUTERS, health=lambda app: app.state.health
    )
