import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.cli import run_cli, serve
from openmusic_kit.database.database import open_database
from openmusic_kit.database.migrations import migrate
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.web.clients import ServiceClient
from openmusic_playlist.app import create_app
from openmusic_playlist.projections.reconciliation import Reconciliation
from openmusic_playlist.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


async def reconcile(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        redis = open_redis(settings)
        cache = Cache(redis, database, "playlist")
        await stack.enter_async_context(cache.running())
        credential = settings.service_credential.get_secret_value()
        catalog = await stack.enter_async_context(ServiceClient("catalog", settings.catalog_url, credential))
        auth = await stack.enter_async_context(ServiceClient("auth", settings.auth_url, credential))
        await Reconciliation(database, cache, PurgePublisher(redis), catalog, auth, report=print).run()


def main() -> None:
    run_cli(
        "playlist",
        Settings,
        {
            "serve": lambda settings: serve(create_app(settings), settings),
            "migrate": lambda settings: migrate(settings, MIGRATIONS, "inbox", "cache"),
            "read-copies rebuild": lambda settings: asyncio.run(reconcile(settings)),
        },
    )


if __name__ == "__main__":
    main()
