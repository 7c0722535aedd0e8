from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import WithJsonSchema

from openmusic_export.addresses import MailAddress
from openmusic_export.exports.repository import Job, Problem
from openmusic_export.formats import FormatName
from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import WireModel

Id = Annotated[str, WithJsonSchema(id_schema("export"))]

PROBLEMS: dict[Problem, str] = {
    "rejected": "The mail server rejected the mail or its address",
    "unconfirmed": "The mail may have arrived, but the mail server has not confirmed it",
    "mail_server_unavailable": "The mail server is not available",
    "playlist_unavailable": "The playlist could not be read",
    "playlist_deleted": "The playlist was deleted",
}
UNKNOWN_PROBLEM = "The export failed"


class ExportPayload(WireModel):
    target_email: MailAddress
    format: FormatName = "json"


class ExportId(WireModel):
    export_id: Id


class Export(WireModel):
    id: Id
    playlist_id: str
    target_email: str
    format: FormatName
    state: Literal["pending", "sent", "failed", "cancelled"]
    attempts: int
    problem: str | None
    """Why it failed or was cancelled, or why the last attempt failed; null if nothing went wrong."""
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            id=job.id,
            playlist_id=job.playlist_id,
            target_email=job.target_email,
            format=job.format,
            state=job.status,
            attempts=job.attempts,
            problem=PROBLEMS[job.problem] if job.problem else UNKNOWN_PROBLEM if job.status == "failed" else None,
            created_at=job.created_at,
            finished_at=job.settled_at,
        )


class ExportData(WireModel):
    export: Export


class ExportsData(WireModel):
    exports: list[Export]
