"""What the API announces to the worker."""

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


JOBS = "export.jobs"


def retry_schedule(retry_for: float = 259_200) -> RetrySchedule:
    return RetrySchedule((1, 2, 5, 15, 30, 60), retry_for)


def jobs_queue() -> Queue:
    """Declared by the API as well, so that no job is unroutable before a worker ever ran."""
    return Queue(JOBS, (ExportRequested.routing_key(),), retry_schedule())
