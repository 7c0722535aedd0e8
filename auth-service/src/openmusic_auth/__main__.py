import logging
from pathlib import Path

from openmusic_auth.app import create_app
from openmusic_auth.keys.service import PUBLISH_AHEAD, SigningKeys
from openmusic_auth.settings import Settings
from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.database import open_database
from openmusic_kit.database.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"

logger = logging.getLogger(__name__)


async def rotate_keys(settings: Settings) -> None:
    async with open_database(settings) as database:
        secret = settings.signing_key_secret.get_secret_value()
        kid = await SigningKeys(database, secret, settings.access_token_age).rotate()
    logger.info("signing key added", extra={"kid": kid, "signs_in": PUBLISH_AHEAD})


def main() -> None:
    run_cli(
        "auth",
        {
            "serve": Command(Settings, lambda settings: serve(create_app(settings), settings)),
            "migrate": Command(Settings, lambda settings: migrate(settings, MIGRATIONS, "outbox", "idempotency")),
            "rotate-keys": Command(Settings, rotate_keys),
        },
    )


if __name__ == "__main__":
    main()
