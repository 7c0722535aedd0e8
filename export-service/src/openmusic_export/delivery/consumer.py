from dataclasses import replace

from openmusic_export.delivery.service import DeliveryService
from openmusic_export.events import JOBS, ExportRequested, retry_schedule
from openmusic_export.settings import WorkerSettings
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.subscription import Subscription

PREFETCH_FACTOR = 4
"""Messages prefetched per concurrent mail: while the reply to one mail is slow, others are sent."""


async def deliver(delivery: DeliveryService, event: ExportRequested, envelope: Envelope) -> None:
    await delivery.deliver(envelope.id, event)


SUBSCRIPTION = Subscription(JOBS, {ExportRequested: deliver})


def subscription(settings: WorkerSettings) -> Subscription[DeliveryService]:
    retry = retry_schedule(settings.export_retry_for)
    return replace(SUBSCRIPTION, retry=retry, prefetch=PREFETCH_FACTOR * settings.export_concurrency)
