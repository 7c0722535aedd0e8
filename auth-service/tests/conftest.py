import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from openmusic_auth.__main__ import MIGRATIONS
from openmusic_auth.app import create_app
from openmusic_auth.settings import Settings
from openmusic_kit.database.database import connection_string
from openmusic_kit.database.migrations import migrate
from openmusic_kit.identity.token_verifier import TokenVerifier
from openmusic_testkit.serving import client_of

SettingsFactory = Callable[..., Settings]

PASSWORD = "secret"


@pytest.fixture(scope="session")
def new_settings(database_factory: Callable[[str], dict[str, Any]], rabbitmq_url: str) -> SettingsFactory:
    """Settings with a migrated database of their own; keyword arguments replace what they name."""

    def create(**changes: Any) -> Settings:
        given: dict[str, Any] = {
            **database_factory("auth"),
            "rabbitmq_server": rabbitmq_url,
            "service_credential": "the-shared-credential",
            "signing_key_secret": "the-signing-key-secret",
        }
        settings = Settings(**(given | changes))
        migrate(settings, MIGRATIONS, "outbox", "idempotency")
        return settings

    return create


@pytest.fixture(scope="session")
def settings(new_settings: SettingsFactory) -> Settings:
    return new_settings()


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def new_verifier(client: httpx.AsyncClient) -> Callable[..., TokenVerifier]:
    """As the other services have it."""

    async def key_set() -> bytes:
        return (await client.get("/.well-known/jwks.json")).raise_for_status().content

    def create() -> TokenVerifier:
        return TokenVerifier(key_set, "openmusic-auth", "openmusic")

    return create


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[AsyncConnection[DictRow]]:
    async with await AsyncConnection.connect(
        connection_string(settings), autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


@pytest.fixture
def username() -> str:
    """A name that nobody has yet."""
    return f"chris-{secrets.token_hex(6)}"


@pytest.fixture
def register(client: httpx.AsyncClient) -> Callable[..., Awaitable[str]]:
    async def register(username: str, password: str = PASSWORD) -> str:
        answer = await client.post(
            "/users", json={"username": username, "password": password, "fullname": "Chris Martin"}
        )
        assert answer.status_code == 201, answer.text
        user_id: str = answer.json()["data"]["userId"]
        return user_id

    return register


@pytest.fixture
def log_in(client: httpx.AsyncClient) -> Callable[..., Awaitable[dict[str, str]]]:
    """Gives ``{accessToken, refreshToken}``."""

    async def log_in(username: str, password: str = PASSWORD) -> dict[str, str]:
        answer = await client.post("/authentications", json={"username": username, "password": password})
        assert answer.status_code == 201, answer.text
        tokens: dict[str, str] = answer.json()["data"]
        return tokens

    return log_in
