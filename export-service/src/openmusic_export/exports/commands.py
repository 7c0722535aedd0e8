"""``openmusic exports list | show | retry | cancel``."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

import typer

from openmusic_export.exports.administration import ExportAdministration
from openmusic_export.exports.repository import JobDetails, Status
from openmusic_export.settings import Settings
from openmusic_kit.commands.output import Json, Yes, confirm, done, group, show, show_one
from openmusic_kit.commands.running import run_with
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.database.database import open_database

T = TypeVar("T")

app = group("The exports of all users: which of them wait or failed, and why; try them again, or give them up.")

ExportId = Annotated[str, typer.Argument(help="As `list` shows it.")]


@dataclass(frozen=True)
class Line:
    """Without the address: lists are pasted into tickets."""

    id: str
    status: Status
    attempts: int
    requested: datetime
    next_attempt: datetime | None
    reason: str | None


@app.command("list")
def list_exports(
    status: Annotated[Status | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest, as many as this.")] = 50,
    before: Annotated[str, typer.Option(metavar="ID", help="Only those older than this one: the next page.")] = "",
    as_json: Json = False,
) -> None:
    """Lists exports, the newest first. `--status failed` shows those that were given up."""
    jobs = _run(lambda exports: exports.list_all(status, before, limit))
    show([_line(job) for job in jobs], as_json, "There are no such exports.")


@app.command("show")
def show_export(export_id: ExportId, as_json: Json = False) -> None:
    """Shows all that is known of one, with the address that it goes to."""
    show_one(_run(lambda exports: exports.get(export_id)), as_json)


@app.command("retry")
def retry_export(
    export_id: ExportId,
    in_doubt: Annotated[
        bool, typer.Option("--in-doubt", help="Even if a mail may have arrived, which then comes twice.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Has a worker try one at once. One that failed starts over; its dead letter may be discarded then."""
    _run(lambda exports: exports.retry(export_id, even_in_doubt=in_doubt))
    done(f"{export_id} is tried within seconds", as_json, id=export_id)


@app.command("cancel")
def cancel_export(export_id: ExportId, yes: Yes = False, as_json: Json = False) -> None:
    """Gives up one that waits. Its user sees that it was cancelled."""
    confirm(f"{export_id} will never be sent.", yes)
    _run(lambda exports: exports.cancel(export_id))
    done(f"{export_id} is cancelled", as_json, id=export_id)


def _run(action: Callable[[ExportAdministration], Awaitable[T]]) -> T:
    return run_with(_administration(), action)


@asynccontextmanager
async def _administration() -> AsyncIterator[ExportAdministration]:
    async with open_database(settings_of("export", Settings)) as database:
        yield ExportAdministration(database)


def _line(job: JobDetails) -> Line:
    waits = job.next_attempt_at if job.status == "pending" else None
    return Line(job.id, job.status, job.attempts, job.created_at, waits, job.reason)
