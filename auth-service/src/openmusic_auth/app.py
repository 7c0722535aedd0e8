"""The composition root of the auth service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from openmusic_auth.account import endpoints as account
from openmusic_auth.account.service import AccountService
from openmusic_auth.authentications import endpoints as authentications
from openmusic_auth.authentications.service import AuthenticationService
from openmusic_auth.keys import endpoints as keys
from openmusic_auth.keys.service import SigningKeys
from openmusic_auth.passwords import Passwords
from openmusic_auth.settings import Settings
from openmusic_auth.users import endpoints as users
from openmusic_auth.users.service import UserService
from openmusic_kit.database.database import open_database
from openmusic_kit.identity.token_verifier import TokenVerifier
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.relay import OutboxRelay
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.health import HardCheck, Health, SoftCheck

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

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings))
            broker = Broker(settings.rabbitmq_server.get_secret_value())
            await stack.enter_async_context(broker.running())
            await stack.enter_async_context(OutboxRelay(database, broker).running())
            secret = settings.signing_key_secret.get_secret_value()
            passwords = Passwords(settings.password_memory, settings.password_rounds)
            signing_keys = SigningKeys(database, secret, settings.access_token_age)
            await stack.enter_async_context(signing_keys.running())
            app.state.signing_keys = signing_keys
            app.state.token_verifier = TokenVerifier(
                signing_keys.published_json, settings.token_issuer, settings.token_audience
            )
            await stack.enter_async_context(app.state.token_verifier.keys.running())
            app.state.account = AccountService(database, passwords)
            app.state.users = UserService(database, passwords)
            app.state.authentications = AuthenticationService(database, passwords, signing_keys, settings)
            app.state.health = Health({"postgresql": HardCheck(database.ping), "rabbitmq": SoftCheck(broker.ping)})
            yield

    return create_service_app("auth", settings, lifespan=lifespan, routers=ROUTERS, health=lambda app: app.state.health)
