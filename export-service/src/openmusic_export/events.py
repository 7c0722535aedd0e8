"""The event that the API publishes to the worker, and its queue."""

from typing import ClassVar

from pydantic import ConfigDict

from openmusic_export.addresses import MailAddress
from openmusic_kit.messaging.events import EventData
from openmusic_kit.messaging.topology import Queue, RetrySchedule
from openmusic_kit.web.schemas import ShortText


class ExportRequested(EventData):
    """Never holds the songs: the worker reads the playlist when it sends the mail."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})
    event_type: ClassVar[str] = "export.requested"
    event_version: ClassVar[int] = 1
    job_id: ShortText
    playlist_id: ShortText
    target_email: MailAddress


JOBS = "export.jobs"


def retry_schedule(retry_for: float = 259_200) -> RetrySchedule:
    return RetrySchedule((1, 2, 5, 15, 30, 60), retry_for)


def jobs_queue() -> Queue:
    """The API declares it too, so that messages are routable before a worker has ever run."""
    return Queue(JOBS, (ExportRequested.routing_key(),), retry_schedule())
