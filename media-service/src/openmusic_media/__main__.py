import os
import sys

from openmusic_kit.cli import Command, run_cli, serve
from openmusic_media.app import create_app
from openmusic_media.covers.archive import export_covers, import_covers
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage


async def write_covers(settings: Settings) -> None:
    """Standard input lists keys to leave out, one a line."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as archive:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps the log out of the archive
        await export_covers(create_storage(settings), archive, {line.rstrip("\n") for line in sys.stdin})


async def read_covers(settings: Settings) -> None:
    await import_covers(create_storage(settings), sys.stdin.buffer)


def main() -> None:
    run_cli(
        "media",
        {
            "serve": Command(Settings, lambda settings: serve(create_app(settings), settings)),
            "covers export": Command(Settings, write_covers),
            "covers import": Command(Settings, read_covers),
        },
    )


if __name__ == "__main__":
    main()
