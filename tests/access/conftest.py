"""A whole stack with a second gateway, users who stand differently to a playlist, and a key to sign any token with."""

import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from PIL import Image

from openmusic_local.copies import another_gateway
from openmusic_local.stack import Stack
from openmusic_testkit import plain_http
from openmusic_testkit.tokens import TokenIssuer, generate_key
from openmusic_testkit.waiting import wait_until

DEADLINE = 30.0  # seconds


@dataclass(frozen=True)
class User:
    id: str
    username: str
    access_token: str
    refresh_token: str


@contextmanager
def connected(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    """To the database of the auth service."""
    settings = stack.environment("auth")
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    given = {ours: settings[name] for name, ours in names.items()}
    with psycopg.connect(**given, autocommit=True) as connection:  # type: ignore[arg-type]
        yield connection


@contextmanager
def published_key(stack: Stack, url: str) -> Iterator[tuple[str, Ed25519PrivateKey]]:
    """A key that retires in an hour: tokens are verified with it, and none is signed."""
    kid, key = secrets.token_hex(16), generate_key()
    encryption = BestAvailableEncryption(stack.environment("auth")["SIGNING_KEY_SECRET"].encode())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
    with connected(stack) as connection:
        connection.execute("UPDATE signing_keys SET created_at = now() - interval '1 hour' WHERE retires_at IS NULL")
        connection.execute(
            "INSERT INTO signing_keys (kid, private_key, retires_at) VALUES (%s, %s, now() + interval '1 hour')",
            [kid, pem],
        )
    try:
        wait_until(lambda: kid in published(url), DEADLINE)
        yield kid, key
    finally:
        with connected(stack) as connection:  # another one: other tests may have restarted PostgreSQL meanwhile
            connection.execute("DELETE FROM signing_keys WHERE kid = %s", [kid])


def published(url: str) -> list[str]:
    """The ids of the keys that the auth service publishes."""
    answer = plain_http.get(f"{url}/.well-known/jwks.json")
    return [key["kid"] for key in answer.raise_for_status().json()["keys"]]


def registered(url: str, prefix: str) -> User:
    username = f"{prefix}_{secrets.token_hex(6)}"
    with plain_http.Client(base_url=url) as http:
        registration = {"username": username, "password": "secret", "fullname": "A User"}
        user_id = http.post("/users", json=registration).raise_for_status().json()["data"]["userId"]
        login = {"username": username, "password": "secret"}
        tokens = http.post("/authentications", json=login).raise_for_status().json()["data"]
    return User(user_id, username, tokens["accessToken"], tokens["refreshToken"])


@pytest.fixture(scope="session")
def url(stack: Stack) -> str:
    return stack.url


@pytest.fixture(scope="session")
def second_url(stack: Stack) -> Iterator[str]:
    """Another gateway of the same stack."""
    with another_gateway(stack) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def new_key(stack: Stack, url: str) -> Callable[[], Any]:
    """Publishes a key while in its context."""
    return lambda: published_key(stack, url)


@pytest.fixture(scope="session")
def auth_database(stack: Stack) -> Callable[[], Any]:
    return lambda: connected(stack)


@pytest.fixture(scope="session")
def register(url: str) -> Callable[[str], User]:
    return lambda prefix: registered(url, prefix)


@pytest.fixture(scope="session")
def owner(register: Callable[[str], User]) -> User:
    return register("owner")


@pytest.fixture(scope="session")
def mint(new_key: Callable[[], Any], owner: User, url: str, second_url: str) -> Iterator[TokenIssuer]:
    """Signs tokens of the owner with a key that every process knows."""
    with new_key() as (kid, key):
        mint = TokenIssuer(subject=owner.id, keys={kid: key})
        headers = {"Authorization": f"Bearer {mint.token()}"}
        for each in (url, second_url):
            wait_until(lambda each=each: plain_http.get(f"{each}/playlists", headers=headers).is_success, DEADLINE)  # type: ignore[misc]
        yield mint


@pytest.fixture(scope="session")
def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(target, "PNG")
    return target.getvalue()
