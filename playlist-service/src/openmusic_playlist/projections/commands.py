"""``openmusic read-copies rebuild``."""

import asyncio

from openmusic_kit.commands.output import group
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.resources import Resources
from openmusic_playlist.projections.reconciliation import Reconciliation
from openmusic_playlist.settings import Settings

app = group("The copies of song titles and user names that the playlist service keeps.")


@app.callback()
def read_copies() -> None:
    """The copies of song titles and user names that the playlist service keeps."""


@app.command()
def rebuild() -> None:
    """Compares all copies with the services that own them, and repairs them. Prints a line for each repair."""
    asyncio.run(reconcile(settings_of("playlist", Settings)))


async def reconcile(settings: Settings) -> None:
    async with Resources(settings) as resources:
        database = await resources.database()
        cache = await resources.cache("playlist", database)
        catalog = await resources.client("catalog", settings.catalog_url)
        auth = await resources.client("auth", settings.auth_url)
        await Reconciliation(database, cache, resources.purge_publisher(), catalog, auth, report=print).run()
