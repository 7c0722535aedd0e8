"""The composition roots of the API, which accepts requests, and of the worker, which sends the mails."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from openmusic_export.delivery.announcer import Announcer
from openmusic_export.delivery.consumer import subscription
from openmusic_export.delivery.service import DeliveryService
from openmusic_export.delivery.smtp import SmtpSender
from openmusic_export.events import jobs_queue
from openmusic_export.exports import endpoints as exports
from openmusic_export.exports.service import ExportService
from openmusic_export.playlists import Playlists
from openmusic_export.settings import Settings, WorkerSettings
from openmusic_kit.database.database import open_database
from openmusic_kit.identity.token_verification import open_token_verifier
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.relay import OutboxRelay
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.health import HardCheck, Health, SoftCheck

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings))
            credential = settings.service_credential.get_secret_value()
            client = await stack.enter_async_context(ServiceClient("playlist", settings.playlist_url, credential))
            broker = Broker(settings.rabbitmq_server.get_secret_value())
            broker.ensure_queue(jobs_queue())
            await stack.enter_async_context(broker.running())
            await stack.enter_async_context(OutboxRelay(database, broker).running())
            app.state.token_verifier = await stack.enter_async_context(open_token_verifier(settings))
            app.state.exports = ExportService(database, Playlists(client))
            app.state.health = Health(
                {
                    "postgresql": HardCheck(database.ping),
                    "rabbitmq": SoftCheck(broker.ping),
                    "auth": SoftCheck(app.state.token_verifier.ready),
                }
            )
            yield

    return create_service_app(
        "export", settings, lifespan=lifespan, routers=(exports.router,), health=lambda app: app.state.health
    )


def create_worker(settings: WorkerSettings | None = None) -> FastAPI:
    settings = settings or WorkerSettings()
    if settings.uses_example_sender:
        logger.warning(
            "MAIL_FROM is an example address, which real mail servers reject", extra={"mail_from": settings.mail_from}
        )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings))
            credential = settings.service_credential.get_secret_value()
            client = await stack.enter_async_context(ServiceClient("playlist", settings.playlist_url, credential))
            sender = SmtpSender(settings)
            await stack.enter_async_context(sender.running())
            delivery = DeliveryService(database, Playlists(client), sender, settings)
            broker = Broker(settings.rabbitmq_server.get_secret_value())
            exports = subscription(settings)
            broker.subscribe(exports, delivery)
            await stack.enter_async_context(broker.running())
            await stack.enter_async_context(Announcer(database, broker, exports.queue).running())
            app.state.health = Health(
                {
                    "postgresql": HardCheck(database.ping),
                    "rabbitmq": HardCheck(broker.ping),
                    "smtp": SoftCheck(sender.ping),
                }
            )
            yield

    return create_service_app(
        "export worker", settings, lifespan=lifespan, routers=(), health=lambda app: app.state.health
    )
