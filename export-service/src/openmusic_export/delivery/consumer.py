from pydantic import ValidationError

from openmusic_export.delivery.service import DeliveryService
from openmusic_export.events import ExportRequested, jobs_queue
from openmusic_kit.events import Envelope
from openmusic_kit.messaging import Rejected, Subscription


def subscription(delivery: DeliveryService, concurrency: int, retry_for: float) -> Subscription:
    async def deliver(event: Envelope) -> None:
        if (event.type, event.version) != (ExportRequested.event_type, ExportRequested.event_version):
            raise Rejected(f"unknown event {event.type} v{event.version}")
        try:
            job = ExportRequested.model_validate(event.data)
        except ValidationError as error:
            raise Rejected(f"malformed data: {error.errors()[0]['msg']}") from error
        await delivery.deliver(job)

    return Subscription(jobs_queue(retry_for), deliver, prefetch=concurrency)
