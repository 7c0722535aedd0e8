import asyncio
import os
import sys

from openmusic_kit.cli import run_cli, serve
from openmusic_media.app import create_app
from openmusic_media.covers.archive import export_covers, import_covers
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage


def write_covers(settings: Settings) -> None:
    """Standard input lists keys to leave out, one a line."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as archive:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps the log out of the archive
        asyncio.run(export_covers(create_storage(settings), archive, {line.rstrip("\n") for line in sys.stdin}))


def read_covers(settings: Settings) -> None:
    asyncio.run(import_covers(create_storage(settings), sys.stdin.buffer))


def main() -> None:
    run_cli(
        "media",
        Settings,
        {
            "serve": lambda settings: serve(create_app(settings), settings),
            "covers export": write_covers,
            "covers import": read_covers,
        },
    )


if __name__ == "__main__":
    main()
