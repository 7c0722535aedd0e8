from pathlib import Path

from openmusic_kit.cli import run_cli, serve
from openmusic_kit.migrations import migrate
from openmusic_playlist.app import create_app
from openmusic_playlist.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    run_cli(
        "playlist",
        Settings,
        {
            "serve": lambda settings: serve(create_app(settings), settings),
            "migrate": lambda settings: migrate(settings, MIGRATIONS, "inbox", "cache"),
        },
    )


if __name__ == "__main__":
    main()
