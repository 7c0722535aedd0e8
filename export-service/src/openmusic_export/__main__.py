from pathlib import Path

from openmusic_export.app import create_app, create_worker
from openmusic_export.settings import Settings, WorkerSettings
from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    run_cli(
        "export",
        {
            "serve": Command(Settings, lambda settings: serve(create_app(settings), settings)),
            "migrate": Command(
                Settings, lambda settings: migrate(settings, MIGRATIONS, "outbox", "deleted-users", "idempotency")
            ),
            "worker": Command(WorkerSettings, lambda settings: serve(create_worker(settings), settings)),
        },
    )


if __name__ == "__main__":
    main()
