"""The composition root of the media service."""

from fastapi import FastAPI

from openmusic_kit.resources import Resources
from openmusic_kit.web.app import create_service_app
from openmusic_media.covers import endpoints as covers
from openmusic_media.covers.consumer import SUBSCRIPTION
from openmusic_media.covers.direct_uploads import DirectUploads
from openmusic_media.covers.service import CoverService
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    async def start(app: FastAPI, resources: Resources) -> None:
        storage = create_storage(settings)
        resources.check("storage", storage.ping, required=True)
        catalog = await resources.client("catalog", settings.catalog_url)
        playlists = await resources.client("playlist", settings.playlist_url)
        app.state.token_verifier = await resources.token_verifier()
        app.state.covers = CoverService(storage, catalog, playlists)
        app.state.direct_uploads = DirectUploads(storage, app.state.covers)
        broker = resources.broker()
        broker.subscribe(SUBSCRIPTION, app.state.covers)
        await resources.open(broker.running())

    return create_service_app(
        "media", settings, start=start, routers=(covers.router, covers.timed_router, covers.protected_router)
    )
