"""The composition roots of the API, which accepts requests, and of the worker, which sends the mails."""

import logging

from fastapi import FastAPI

from openmusic_export.delivery.announcer import Announcer
from openmusic_export.delivery.consumer import subscription
from openmusic_export.delivery.service import DeliveryService
from openmusic_export.delivery.smtp import SmtpSender
from openmusic_export.events import jobs_queue
from openmusic_export.exports import endpoints as exports
from openmusic_export.exports.consumer import SUBSCRIPTION
from openmusic_export.exports.service import ExportService
from openmusic_export.playlists import Playlists
from openmusic_export.settings import Settings, WorkerSettings
from openmusic_kit.resources import Resources
from openmusic_kit.web.app import create_service_app

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    async def start(app: FastAPI, resources: Resources) -> None:
        database = await resources.database()
        client = await resources.client("playlist", settings.playlist_url)
        await resources.outbox_relay(database, jobs_queue())
        app.state.token_verifier = await resources.token_verifier()
        app.state.exports = ExportService(database, Playlists(client))

    return create_service_app("export", settings, start=start, routers=exports.ROUTERS)


def create_worker(settings: WorkerSettings | None = None) -> FastAPI:
    settings = settings or WorkerSettings()
    if settings.uses_example_sender:
        logger.warning(
            "MAIL_FROM is an example address, which real mail servers reject", extra={"mail_from": settings.mail_from}
        )

    async def start(_: FastAPI, resources: Resources) -> None:
        database = await resources.database()
        client = await resources.client("playlist", settings.playlist_url)
        sender = SmtpSender(settings)
        await resources.open(sender.running())
        resources.check("smtp", sender.ping, required=False)
        playlists = Playlists(client)
        delivery = DeliveryService(database, playlists, sender, settings)
        broker = resources.broker(required=True)
        exports = subscription(settings)
        broker.subscribe(exports, delivery)
        broker.subscribe(SUBSCRIPTION, ExportService(database, playlists))
        await resources.open(broker.running())
        await resources.open(Announcer(database, broker, exports.queue).running())

    return create_service_app("export worker", settings, start=start, routers=())
