"""``openmusic covers check | export | import``."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from openmusic_kit.commands.output import Json, Yes, confirm, group, show
from openmusic_kit.commands.running import run_with
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.resources import Resources
from openmusic_media.covers.archive import export_covers, import_covers
from openmusic_media.covers.check import CoverCheck
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage
from openmusic_media.storage.interface import Storage

app = group("The covers in the storage: move them to another, and find those that nobody needs.")


@app.command()
def check(
    remove: Annotated[bool, typer.Option("--remove", help="Deletes files that nothing refers to.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Compares the storage with albums and playlists. Ends with 1 if something is left that is not in order.

    `unused` files are covers that nothing refers to, and their thumbnails; a file younger than an hour may belong to
    an upload under way, and is left out. `missing` covers must come from a backup. `unknown` files are not ours.
    """
    if remove:
        confirm("Every cover that nothing refers to is deleted.", yes)
    findings = run_with(_opened(), lambda check: check.run(remove=remove))
    show(findings, as_json, "Every cover is where it belongs.")
    if any(not finding.removed for finding in findings):
        raise typer.Exit(1)


@app.command("export")
def write_archive() -> None:
    """Writes all covers to standard output, as a tar archive.

    Standard input lists keys to leave out, one a line: `openmusic covers export </dev/null >covers.tar`
    """
    excluded = {line.rstrip("\n") for line in sys.stdin}
    asyncio.run(export_covers(_storage(), sys.stdout.buffer, excluded))


@app.command("import")
def read_archive() -> None:
    """Stores all covers of a tar archive that standard input holds."""
    asyncio.run(import_covers(_storage(), sys.stdin.buffer))


@asynccontextmanager
async def _opened() -> AsyncIterator[CoverCheck]:
    settings = settings_of("media", Settings)
    async with Resources(settings) as resources:
        catalog = await resources.client("catalog", settings.catalog_url)
        playlists = await resources.client("playlist", settings.playlist_url)
        yield CoverCheck(create_storage(settings), catalog, playlists)


def _storage() -> Storage:
    return create_storage(settings_of("media", Settings))
