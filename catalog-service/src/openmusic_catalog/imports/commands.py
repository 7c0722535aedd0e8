"""``openmusic catalogue import | export``."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from openmusic_catalog.imports.exports import write_songs
from openmusic_catalog.imports.service import ImportService, Outcome, Rejected
from openmusic_catalog.settings import Settings
from openmusic_kit.commands.output import Json, done, group
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.database.database import open_database
from openmusic_kit.resources import Resources

app = group("The songs of the catalogue, from and to files.")


@app.command("import")
def import_songs(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, or JSON objects one a line (.jsonl).", exists=True)
    ],
    rejected: Annotated[
        Path | None, typer.Option(help="Where rejected rows go, with the reason; by default FILE.rejected.jsonl.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Checks all rows and adds nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Adds the songs of a file. Its columns are title, year, genre, performer, and perhaps duration and albumId.

    An import that was interrupted continues when the same file is given again; a file that is complete adds nothing.
    The exit code is 1 if rows were rejected.
    """
    target = rejected or path.with_name(f"{path.name}.rejected.jsonl")
    with _rejecting_to(target) as reject, _progress(path) as report:
        outcome = asyncio.run(_import(path, reject, report, dry_run=dry_run))
    would_be = "would be " if dry_run else ""
    skipped = f", {outcome.skipped} were there" if outcome.skipped else ""
    where = f" (see {target})" if outcome.rejected else ""
    message = f"{outcome.imported} songs {would_be}imported{skipped}, {outcome.rejected} rows rejected{where}"
    done(
        message, as_json, imported=outcome.imported, skipped=outcome.skipped, rejected=outcome.rejected, dry_run=dry_run
    )
    if outcome.rejected:
        raise typer.Exit(1)


@app.command("export")
def export_songs(
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON objects, one a line, instead of CSV.")] = False,
) -> None:
    """Writes all songs to standard output, with their ids, in the form that `import` reads."""

    async def run() -> None:
        async with open_database(settings_of("catalog", Settings)) as database:
            await write_songs(database, sys.stdout, jsonl=jsonl)

    asyncio.run(run())


async def _import(
    path: Path, reject: Callable[[Rejected], None], report: Callable[[Outcome], None], *, dry_run: bool
) -> Outcome:
    async with Resources(settings_of("catalog", Settings)) as resources:
        cache = await resources.cache("catalog", await resources.database())
        service = ImportService(cache, resources.purge_publisher().publish)
        return await service.run(path, reject, report, dry_run=dry_run)


@contextmanager
def _rejecting_to(path: Path) -> Iterator[Callable[[Rejected], None]]:
    """The file is made with the first row that is rejected."""

    def reject(row: Rejected) -> None:
        with path.open("ab") as file:
            file.write(to_json(row) + b"\n")

    yield reject


@contextmanager
def _progress(path: Path) -> Iterator[Callable[[Outcome], None]]:
    with path.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("songs", total=lines)

        def report(outcome: Outcome) -> None:
            progress.update(task, completed=outcome.imported + outcome.skipped + outcome.rejected)

        yield report
