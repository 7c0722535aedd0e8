"""The composition root of the catalogue."""

from fastapi import FastAPI

from openmusic_catalog.albums import endpoints as albums
from openmusic_catalog.albums.service import AlbumService
from openmusic_catalog.likes import endpoints as likes
from openmusic_catalog.likes.consumer import SUBSCRIPTION
from openmusic_catalog.likes.service import LikeService
from openmusic_catalog.matching import endpoints as matching
from openmusic_catalog.matching.service import MatchingService
from openmusic_catalog.search import endpoints as search
from openmusic_catalog.search.service import SearchService
from openmusic_catalog.settings import Settings
from openmusic_catalog.songs import endpoints as songs
from openmusic_catalog.songs.notifier import SongChangeNotifier
from openmusic_catalog.songs.service import SongService
from openmusic_kit.resources import Resources
from openmusic_kit.web.app import create_service_app

ROUTERS = (
    likes.router,
    likes.protected_router,
    likes.internal_router,
    albums.router,
    albums.internal_router,
    songs.router,
    songs.internal_router,
    matching.internal_router,
    search.router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    async def start(app: FastAPI, resources: Resources) -> None:
        database = await resources.database()
        cache = await resources.cache("catalog", database)
        app.state.token_verifier = await resources.token_verifier()
        app.state.albums = AlbumService(database, cache, settings.public_url, settings.album_cache_ttl)
        app.state.matching = MatchingService(database)
        app.state.search = SearchService(database, settings.public_url)
        app.state.likes = LikeService(database, cache, resources.purge_publisher(), settings.album_cache_ttl)
        broker = resources.broker()
        broker.subscribe(SUBSCRIPTION, app.state.likes)
        await resources.outbox_relay(database, broker=broker)
        playlist = await resources.client("playlist", settings.playlist_url)
        notifier = SongChangeNotifier(resources.pending_changes("songs"), playlist)
        app.state.songs = SongService(database, cache, notifier)

    return create_service_app("catalog", settings, start=start, routers=ROUTERS)
