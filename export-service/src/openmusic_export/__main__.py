from pathlib import Path

from openmusic_export.settings import Settings, WorkerSettings
from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"


def serve_app(settings: Settings) -> None:
    from openmusic_export.app import create_app  # noqa: PLC0415 - other commands start in half the time

    serve(create_app(settings), settings)


def serve_worker(settings: WorkerSettings) -> None:
    from openmusic_export.app import create_worker  # noqa: PLC0415 - other commands start in half the time

    serve(create_worker(settings), settings)


def main() -> None:
    run_cli(
        "export",
        {
            "serve": Command(Settings, serve_app),
            "migrate": Command(
                Settings, lambda settings: migrate(settings, MIGRATIONS, "outbox", "deleted-users", "idempotency")
            ),
            "worker": Command(WorkerSettings, serve_worker),
        },
    )


if __name__ == "__main__":
    main()
