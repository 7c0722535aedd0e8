"""``openmusic keys rotate``."""

import asyncio

from openmusic_auth.keys.service import PUBLISH_AHEAD, SigningKeys
from openmusic_auth.settings import Settings
from openmusic_kit.commands.output import Json, done, group
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.database.database import open_database

app = group("The keys that sign access tokens.")


@app.callback()
def keys() -> None:
    """The keys that sign access tokens."""


@app.command()
def rotate(as_json: Json = False) -> None:
    """Adds a key. The older ones stay published until their last token has expired, so nobody is logged out."""
    kid = asyncio.run(rotate_keys(settings_of("auth", Settings)))
    done(f"key {kid} signs in {PUBLISH_AHEAD} s", as_json, kid=kid, signs_in=PUBLISH_AHEAD)


async def rotate_keys(settings: Settings) -> str:
    """Returns the id of the new key. Raises SigningKeyUnreadable."""
    async with open_database(settings) as database:
        secret = settings.signing_key_secret.get_secret_value()
        return await SigningKeys(database, secret, settings.access_token_age).rotate()
