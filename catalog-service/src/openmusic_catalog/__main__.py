from pathlib import Path

from openmusic_catalog.settings import Settings
from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"


def serve_app(settings: Settings) -> None:
    from openmusic_catalog.app import create_app  # noqa: PLC0415 - other commands start in half the time

    serve(create_app(settings), settings)


def main() -> None:
    run_cli(
        "catalog",
        {
            "serve": Command(Settings, serve_app),
            "migrate": Command(
                Settings,
                lambda settings: migrate(settings, MIGRATIONS, "outbox", "cache", "deleted-users", "idempotency"),
            ),
        },
    )


if __name__ == "__main__":
    main()
