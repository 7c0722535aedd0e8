"""``openmusic covers export | import``."""

import asyncio
import sys

from openmusic_kit.commands.output import group
from openmusic_kit.commands.settings import settings_of
from openmusic_media.covers.archive import export_covers, import_covers
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage
from openmusic_media.storage.interface import Storage

app = group("The covers in the storage: move them to another, and find those that nobody needs.")


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


def _storage() -> Storage:
    return create_storage(settings_of("media", Settings))
