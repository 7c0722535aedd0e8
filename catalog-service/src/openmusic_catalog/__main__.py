from pathlib import Path

from openmusic_catalog.app import create_app
from openmusic_catalog.settings import Settings
from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    run_cli(
        "catalog",
        {
            "serve": Command(Settings, lambda settings: serve(create_app(settings), settings)),
            "migrate": Command(
                Settings,
                lambda settings: migrate(settings, MIGRATIONS, "outbox", "cache", "deleted-users", "idempotency"),
            ),
        },
    )


if __name__ == "__main__":
    main()
