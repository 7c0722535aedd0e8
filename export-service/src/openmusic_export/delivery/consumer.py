from openmusic_export.delivery.service import DeliveryService
from openmusic_export.events import ExportRequested, jobs_queue
from openmusic_kit.messaging.consumer import Subscription, UnprocessableMessage
from openmusic_kit.messaging.events import Envelope

IN_HAND = 4
"""Times as many messages as there are mails sent at once: while the mail server is slow to say that it took a mail,
others are sent."""


def subscription(delivery: DeliveryService, concurrency: int, retry_for: float) -> Subscription:
    async def deliver(event: Envelope) -> None:
        if (event.type, event.version) != (ExportRequested.event_type, ExportRequested.event_version):
            raise UnprocessableMessage(f"unknown event {event.type} v{event.version}")
        await delivery.deliver(event.id, ExportRequested.model_validate(event.data))

    return Subscription(jobs_queue(retry_for), deliver, prefetch=IN_HAND * concurrency)
