"""What this service announces: to its own worker."""

from typing import ClassVar

from openmusic_export.addresses import MailAddress
from openmusic_kit.messaging.events import EventData
from openmusic_kit.messaging.topology import Queue, RetrySchedule
from openmusic_kit.web.schemas import ShortText


class ExportRequested(EventData):
    event_type: ClassVar[str] = "export.requested"
    event_version: ClassVar[int] = 1
    job_id: ShortText
    playlist_id: ShortText
    target_email: MailAddress


def jobs_queue(retry_for: float = 259_200) -> Queue:
    """Both the API and the worker see to it that it exists, so no job is dropped before a worker ever ran."""
    return Queue("export.jobs", ("export.requested.v1",), RetrySchedule((1, 2, 5, 15, 30, 60), retry_for))
