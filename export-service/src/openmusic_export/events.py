"""What this service announces: to its own worker."""

from typing import ClassVar

from openmusic_export.addresses import MailAddress
from openmusic_kit.events import EventData
from openmusic_kit.messaging import Queue, RetrySchedule
from openmusic_kit.schemas import Key


class ExportRequested(EventData):
    event_type: ClassVar[str] = "export.requested"
    event_version: ClassVar[int] = 1
    job_id: Key
    playlist_id: Key
    target_email: MailAddress


def jobs_queue(retry_for: float = 259_200) -> Queue:
    """Both the API and the worker see to it that it exists, so no job is dropped before a worker ever ran."""
    return Queue("export.jobs", ("export.requested.v1",), RetrySchedule((1, 2, 5, 15, 30, 60), retry_for))
