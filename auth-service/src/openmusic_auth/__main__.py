import logging
from pathlib import Path

from openmusic_auth.keys.commands import rotate_keys
from openmusic_auth.keys.service import PUBLISH_AHEAD
from openmusic_auth.settings import Settings
from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"

logger = logging.getLogger(__name__)


async def add_key(settings: Settings) -> None:
    kid = await rotate_keys(settings)
    logger.info("signing key added", extra={"kid": kid, "signs_in": PUBLISH_AHEAD})


def serve_app(settings: Settings) -> None:
    from openmusic_auth.app import create_app  # noqa: PLC0415 - other commands start in half the time

    serve(create_app(settings), settings)


def main() -> None:
    run_cli(
        "auth",
        {
            "serve": Command(Settings, serve_app),
            "migrate": Command(Settings, lambda settings: migrate(settings, MIGRATIONS, "outbox", "idempotency")),
            "rotate-keys": Command(Settings, add_key),
        },
    )


if __name__ == "__main__":
    main()
