import sys
from pathlib import Path

from openmusic_export.app import create_app, create_worker
from openmusic_export.settings import Settings, WorkerSettings
from openmusic_kit.cli import run_cli, serve
from openmusic_kit.database.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    if sys.argv[1:] == ["worker"]:
        run_cli("export", WorkerSettings, {"worker": lambda settings: serve(create_worker(settings), settings)})
        return
    run_cli(
        "export",
        Settings,
        {
            "serve": lambda settings: serve(create_app(settings), settings),
            "migrate": lambda settings: migrate(settings, MIGRATIONS, "outbox"),
            "worker": lambda _: None,  # for the help text only; runs above, with its own settings
        },
    )


if __name__ == "__main__":
    main()
