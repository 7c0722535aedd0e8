import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from jwt.algorithms import OKPAlgorithm
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from openmusic_catalog.__main__ import MIGRATIONS
from openmusic_catalog.app import create_app
from openmusic_catalog.settings import Settings
from openmusic_kit.database import connection_string
from openmusic_kit.identity import TokenVerifier
from openmusic_kit.migrations import migrate

CREDENTIAL = "the-shared-credential"
SIGNING_KEY = Ed25519PrivateKey.generate()


async def _key_set() -> bytes:
    """What the issuer of these tests publishes: one key."""
    key = OKPAlgorithm.to_jwk(SIGNING_KEY.public_key(), as_dict=True) | {"kid": "test", "alg": "EdDSA"}
    return json.dumps({"keys": [key]}).encode()


@pytest.fixture(scope="session")
def bearer() -> Callable[[str], dict[str, str]]:
    def headers(user_id: str) -> dict[str, str]:
        now = int(time.time())
        claims = {"sub": user_id, "iss": "openmusic-auth", "aud": "openmusic", "iat": now, "exp": now + 60}
        token = jwt.encode(claims, SIGNING_KEY, algorithm="EdDSA", headers={"kid": "test", "typ": "at+jwt"})
        return {"Authorization": f"Bearer {token}"}

    return headers


@pytest.fixture(scope="session")
def settings(
    database_factory: Callable[[str], dict[str, Any]], redis_server: tuple[str, int], rabbitmq_url: str
) -> Settings:
    settings = Settings(
        **database_factory("catalog"),
        redis_server=redis_server[0],
        redis_port=redis_server[1],
        rabbitmq_server=rabbitmq_url,
        service_credential=CREDENTIAL,
        public_url="https://music.example",
    )
    migrate(settings, MIGRATIONS, "outbox", "cache")
    return settings


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        app.state.token_verifier = TokenVerifier(_key_set, "openmusic-auth", "openmusic")
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://catalog") as client:
        yield client


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[AsyncConnection[DictRow]]:
    async with await AsyncConnection.connect(
        connection_string(settings), autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


@pytest.fixture
def add_album(client: httpx.AsyncClient) -> Callable[..., Any]:
    async def add(name: str = "Viva la Vida", year: int = 2008) -> str:
        answer = await client.post("/albums", json={"name": name, "year": year})
        assert answer.status_code == 201
        album_id: str = answer.json()["data"]["albumId"]
        return album_id

    return add


@pytest.fixture
def add_song(client: httpx.AsyncClient) -> Callable[..., Any]:
    async def add(**changes: Any) -> str:
        song = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay", "duration": 235} | changes
        answer = await client.post("/songs", json=song)
        assert answer.status_code == 201, answer.text
        song_id: str = answer.json()["data"]["songId"]
        return song_id

    return add
