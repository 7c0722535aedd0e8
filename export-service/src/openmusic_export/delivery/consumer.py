from openmusic_export.delivery.service import DeliveryService
from openmusic_export.events import JOBS, ExportRequested, retry_schedule
from openmusic_export.settings import WorkerSettings
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.subscription import Subscription

PREFETCH_FACTOR = 4
"""Messages prefetched for each mail sent at once. While a mail server is slow to accept one mail, others are sent."""


async def deliver(delivery: DeliveryService, event: ExportRequested, envelope: Envelope) -> None:
    await delivery.deliver(envelope.id, event)


def subscription(settings: WorkerSettings) -> Subscription[DeliveryService]:
    return Subscription(
        JOBS,
        {ExportRequested: deliver},
        retry_schedule(settings.export_retry_for),
        prefetch=PREFETCH_FACTOR * settings.export_concurrency,
    )
