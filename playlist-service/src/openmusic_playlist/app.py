"""The composition root of the playlist service."""

from fastapi import FastAPI

from openmusic_kit.resources import Resources
from openmusic_kit.web.app import create_service_app
from openmusic_playlist.activities import endpoints as activities
from openmusic_playlist.activities.service import ActivityService
from openmusic_playlist.collaborations import endpoints as collaborations
from openmusic_playlist.collaborations.service import CollaborationService
from openmusic_playlist.imports import endpoints as imports
from openmusic_playlist.imports.matching import SongMatching
from openmusic_playlist.imports.service import ImportService
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
from openmusic_playlist.search import endpoints as search
from openmusic_playlist.search.service import SearchService
from openmusic_playlist.settings import Settings
from openmusic_playlist.song_order import endpoints as song_order
from openmusic_playlist.song_order.service import SongOrderService
from openmusic_playlist.user_data import endpoints as user_data
from openmusic_playlist.user_data.service import UserDataService

ROUTERS = (
    imports.router,
    playlists.router,
    playlists.internal_router,
    playlist_songs.router,
    playlist_songs.internal_router,
    song_order.router,
    search.router,
    activities.router,
    collaborations.router,
    collaborations.playlist_router,
    projections.internal_router,
    user_data.internal_router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    async def start(app: FastAPI, resources: Resources) -> None:
        database = await resources.database()
        cache, purges = await resources.cache("playlist", database), resources.purge_publisher()
        catalog = await resources.client("catalog", settings.catalog_url)
        auth = await resources.client("auth", settings.auth_url)
        broker = resources.broker()
        pending = resources.pending_changes("songs")
        broker.subscribe(SUBSCRIPTION, ProjectionConsumer(database, cache, purges, pending))
        await resources.outbox_relay(database, broker=broker)
        app.state.token_verifier = await resources.token_verifier()
        lookup = SongLookup(catalog)
        freshness = app.state.freshness = Freshness(database, cache, purges, pending, lookup)
        users = UserDirectory(database, auth)
        app.state.playlists = PlaylistService(database, cache, users, freshness, settings.public_url)
        songs = SongDirectory(database, lookup, freshness)
        app.state.playlist_songs = PlaylistSongService(database, cache, songs)
        matching = SongMatching(songs, catalog)
        app.state.imports = ImportService(database, cache, users, songs, matching, freshness)
        app.state.song_order = SongOrderService(database, cache, freshness)
        app.state.playlist_reader = PlaylistReader(database, cache, freshness, settings.songs_cache_ttl)
        app.state.search = SearchService(database)
        app.state.user_data = UserDataService(database, settings.public_url)
        app.state.activities = ActivityService(database)
        app.state.collaborations = CollaborationService(database, cache, users)

    limits = {imports.PATH: settings.import_body_limit}
    return create_service_app("playlist", settings, start=start, routers=ROUTERS, body_limits=limits)
