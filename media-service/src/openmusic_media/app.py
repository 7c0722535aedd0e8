"""The composition root of the media service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from openmusic_kit.messaging.broker import Broker
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.health import HardCheck, Health, SoftCheck
from openmusic_media.covers import endpoints as covers
from openmusic_media.covers.consumer import SUBSCRIPTION
from openmusic_media.covers.service import CoverService
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            storage = create_storage(settings)
            credential = settings.service_credential.get_secret_value()
            catalog = await stack.enter_async_context(ServiceClient("catalog", settings.catalog_url, credential))
            app.state.covers = CoverService(storage, catalog)
            broker = Broker(settings.rabbitmq_server.get_secret_value())
            broker.subscribe(SUBSCRIPTION, app.state.covers)
            await stack.enter_async_context(broker.running())
            app.state.health = Health({"storage": HardCheck(storage.ping), "rabbitmq": SoftCheck(broker.ping)})
            yield

    return create_service_app(
        "media", settings, lifespan=lifespan, routers=(covers.router,), health=lambda app: app.state.health
    )
