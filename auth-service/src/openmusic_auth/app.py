"""The composition root of the auth service."""

from fastapi import FastAPI

from openmusic_auth.account import endpoints as account
from openmusic_auth.account.service import AccountService
from openmusic_auth.account.user_data import UserDataCollector
from openmusic_auth.authentications import endpoints as authentications
from openmusic_auth.authentications.service import AuthenticationService
from openmusic_auth.keys import endpoints as keys
from openmusic_auth.keys.service import SigningKeys
from openmusic_auth.passwords import Passwords
from openmusic_auth.settings import Settings
from openmusic_auth.users import endpoints as users
from openmusic_auth.users.service import UserService
from openmusic_kit.identity.token_verifier import TokenVerifier
from openmusic_kit.resources import Resources
from openmusic_kit.web.app import create_service_app

ROUTERS = (
    account.router,
    users.search_router,
    users.router,
    users.internal_router,
    authentications.router,
    keys.router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()

    async def start(app: FastAPI, resources: Resources) -> None:
        database = await resources.database()
        await resources.outbox_relay(database)
        secret = settings.signing_key_secret.get_secret_value()
        passwords = Passwords(settings.password_memory, settings.password_rounds)
        signing_keys = SigningKeys(database, secret, settings.access_token_age)
        await resources.open(signing_keys.running())
        app.state.signing_keys = signing_keys
        app.state.token_verifier = TokenVerifier(
            signing_keys.published_json, settings.token_issuer, settings.token_audience
        )
        await resources.open(app.state.token_verifier.keys.running())
        clients = {
            "catalog": await resources.client("catalog", settings.catalog_url),
            "playlist": await resources.client("playlist", settings.playlist_url),
            "export": await resources.client("export", settings.export_url),
        }
        app.state.user_data = UserDataCollector(clients)
        app.state.account = AccountService(database, passwords)
        app.state.users = UserService(database, passwords)
        app.state.authentications = AuthenticationService(database, passwords, signing_keys, settings)

    return create_service_app("auth", settings, start=start, routers=ROUTERS)
