from pathlib import Path

from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.migrations import migrate
from openmusic_playlist.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def serve_app(settings: Settings) -> None:
    from openmusic_playlist.app import create_app  # noqa: PLC0415 - other commands start in half the time

    serve(create_app(settings), settings)


def main() -> None:
    run_cli(
        "playlist",
        {
            "serve": Command(Settings, serve_app),
            "migrate": Command(
                Settings,
                lambda settings: migrate(settings, MIGRATIONS, "inbox", "outbox", "cache", "idempotency", "folding"),
            ),
        },
    )


if __name__ == "__main__":
    main()
