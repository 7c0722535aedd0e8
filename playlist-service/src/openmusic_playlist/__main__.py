from pathlib import Path

from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.database.migrations import migrate
from openmusic_kit.resources import Resources
from openmusic_playlist.app import create_app
from openmusic_playlist.projections.reconciliation import Reconciliation
from openmusic_playlist.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


async def reconcile(settings: Settings) -> None:
    async with Resources(settings) as resources:
        database = await resources.database()
        cache = await resources.cache("playlist", database)
        catalog = await resources.client("catalog", settings.catalog_url)
        auth = await resources.client("auth", settings.auth_url)
        await Reconciliation(database, cache, resources.purge_publisher(), catalog, auth, report=print).run()


def main() -> None:
    run_cli(
        "playlist",
        {
            "serve": Command(Settings, lambda settings: serve(create_app(settings), settings)),
            "migrate": Command(
                Settings, lambda settings: migrate(settings, MIGRATIONS, "inbox", "cache", "idempotency")
            ),
            "read-copies rebuild": Command(Settings, reconcile),
        },
    )


if __name__ == "__main__":
    main()
