"""``openmusic exports list | show | retry | cancel``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from openmusic_export.exports.administration import ExportAdministration
from openmusic_export.exports.repository import JobDetails, Status
from openmusic_export.settings import Settings
from openmusic_kit.commands.output import Json, Yes, confirm, done, group, show, show_one
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.database.database import open_database

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

    async def run() -> list[JobDetails]:
        async with _administration() as exports:
            return await exports.list_all(status, before, limit)

    show([_line(job) for job in asyncio.run(run())], as_json, "There are no such exports.")


@app.command("show")
def show_export(export_id: ExportId, as_json: Json = False) -> None:
    """Shows all that is known of one, with the address that it goes to."""

    async def run() -> JobDetails:
        async with _administration() as exports:
            return await exports.get(export_id)

    show_one(asyncio.run(run()), as_json)


@app.command("retry")
def retry_export(
    export_id: ExportId,
    in_doubt: Annotated[
        bool, typer.Option("--in-doubt", help="Even if a mail may have arrived, which then comes twice.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Has a worker try one at once. One that failed starts over; its dead letter may be discarded then."""

    async def run() -> None:
        async with _administration() as exports:
            await exports.retry(export_id, even_in_doubt=in_doubt)

    asyncio.run(run())
    done(f"{export_id} is tried within seconds", as_json, id=export_id)


@app.command("cancel")
def cancel_export(export_id: ExportId, yes: Yes = False, as_json: Json = False) -> None:
    """Gives up one that waits. Its user sees that it was cancelled."""

    async def run() -> None:
        async with _administration() as exports:
            await exports.cancel(export_id)

    confirm(f"{export_id} will never be sent.", yes)
    asyncio.run(run())
    done(f"{export_id} is cancelled", as_json, id=export_id)


@asynccontextmanager
async def _administration() -> AsyncIterator[ExportAdministration]:
    async with open_database(settings_of("export", Settings)) as database:
        yield ExportAdministration(database)


def _line(job: JobDetails) -> Line:
    waits = job.next_attempt_at if job.status == "pending" else None
    return Line(job.id, job.status, job.attempts, job.created_at, waits, job.reason)
