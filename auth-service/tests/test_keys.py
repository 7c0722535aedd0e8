import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from fastapi import FastAPI

from openmusic_auth.app import create_app
from openmusic_auth.keys.errors import SigningKeyUnreadable
from openmusic_auth.settings import Settings
from openmusic_kit.database.database import connection_string
from openmusic_kit.errors import Unauthenticated

LOGIN = {"username": "guy", "password": "secret"}


@pytest.fixture
def settings(new_settings: Callable[..., Settings]) -> Settings:
    """A database of its own: what is done to keys here would disturb other tests."""
    return new_settings()


@pytest.fixture
async def guy(client: httpx.AsyncClient) -> AsyncIterator[str]:
    answer = await client.post("/users", json={**LOGIN, "fullname": "Guy Berryman"})
    yield answer.json()["data"]["userId"]


def command(settings: Settings, name: str, **changes: str) -> subprocess.CompletedProcess[str]:
    given = {
        "PGHOST": settings.pghost,
        "PGPORT": str(settings.pgport),
        "PGUSER": settings.pguser,
        "PGPASSWORD": settings.pgpassword.get_secret_value(),
        "PGDATABASE": settings.pgdatabase,
        "RABBITMQ_SERVER": settings.rabbitmq_server.get_secret_value(),
        "SIGNING_KEY_SECRET": settings.signing_key_secret.get_secret_value(),
        "PORT": "0",
    }
    return subprocess.run(
        [sys.executable, "-m", "openmusic_auth", name],
        env={**os.environ, **given, **changes},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def execute(settings: Settings, statement: str) -> None:
    with psycopg.connect(connection_string(settings), autocommit=True) as connection:
        connection.execute(statement)


def stored(settings: Settings) -> list[tuple[Any, ...]]:
    with psycopg.connect(connection_string(settings)) as connection:
        return connection.execute("SELECT kid, private_key FROM signing_keys ORDER BY created_at").fetchall()


async def published(client: httpx.AsyncClient) -> list[str]:
    return [key["kid"] for key in (await client.get("/.well-known/jwks.json")).json()["keys"]]


async def access_token(client: httpx.AsyncClient) -> str:
    token: str = (await client.post("/authentications", json=LOGIN)).json()["data"]["accessToken"]
    return token


def signer(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


async def test_the_key_set_holds_public_keys_only(client: httpx.AsyncClient) -> None:
    answer = await client.get("/.well-known/jwks.json")

    assert answer.status_code == 200
    (key,) = answer.json()["keys"]
    assert {name: key[name] for name in ("kty", "crv", "alg", "use")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
    }
    assert set(key) == {"kty", "crv", "alg", "use", "kid", "x"}, "above all not d, the private part"
    assert "max-age=5" in answer.headers["cache-control"]


async def test_copies_that_start_at_once_share_one_key(settings: Settings) -> None:
    apps = [create_app(settings) for _ in range(8)]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(app.router.lifespan_context(app)) for app in apps))
        kids = {app.state.signing_keys.current()[0] for app in apps}

    assert len(kids) == 1
    assert [kid for kid, _ in stored(settings)] == list(kids)


async def test_a_key_survives_a_restart(settings: Settings) -> None:
    kids = set()
    for _ in range(2):
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            kids.add(app.state.signing_keys.current()[0])

    assert len(kids) == 1


async def test_private_keys_are_stored_encrypted(client: httpx.AsyncClient, settings: Settings) -> None:
    assert len(await published(client)) == 1

    ((_, private_key),) = stored(settings)

    assert private_key.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")


async def test_a_rotation_leaves_no_token_unverifiable(
    app: FastAPI, client: httpx.AsyncClient, settings: Settings, guy: str, new_verifier: Any
) -> None:
    (old,) = await published(client)
    before = await access_token(client)

    assert command(settings, "rotate-keys").returncode == 0
    async with asyncio.timeout(15):
        while len(kids := await published(client)) == 1:
            await asyncio.sleep(0.05)  # a turn for the app, which reads the keys every few seconds
    new = kids[0]
    assert kids == [new, old], "noticed without a restart"
    assert signer(await access_token(client)) == old, "the other copies may not know the new key yet"

    execute(settings, "UPDATE signing_keys SET created_at = created_at - interval '10 seconds'")
    await app.state.signing_keys.reload()
    after = await access_token(client)
    assert signer(after) == new
    verifier = new_verifier()
    assert await verifier.verify(before) == await verifier.verify(after) == guy


async def test_an_old_key_leaves_once_its_tokens_have_expired(
    app: FastAPI, client: httpx.AsyncClient, settings: Settings, guy: str, new_verifier: Any
) -> None:
    before = await access_token(client)
    new = await app.state.signing_keys.rotate()
    verifier = new_verifier()
    assert await verifier.verify(before) == guy
    with psycopg.connect(connection_string(settings)) as connection:
        ((left,),) = connection.execute(
            "SELECT extract(epoch FROM retires_at - now())::int FROM signing_keys WHERE retires_at IS NOT NULL"
        ).fetchall()
    assert left > settings.access_token_age + 10, "it signs for some seconds more"

    execute(settings, "UPDATE signing_keys SET retires_at = now() WHERE retires_at IS NOT NULL")
    await app.state.signing_keys.reload()

    assert await published(client) == [new]
    assert signer(await access_token(client)) == new
    await verifier.keys.fetch()
    with pytest.raises(Unauthenticated):
        await verifier.verify(before)


async def test_each_of_two_rotations_at_once_counts(app: FastAPI, client: httpx.AsyncClient) -> None:
    keys = app.state.signing_keys

    added = await asyncio.gather(keys.rotate(), keys.rotate())

    await keys.reload()
    kids = await published(client)
    assert len(kids) == 3
    assert set(added) < set(kids)


@pytest.mark.parametrize("name", ["serve", "rotate-keys"])
async def test_a_lost_secret_is_named_and_changes_nothing(
    client: httpx.AsyncClient, settings: Settings, name: str
) -> None:
    before = stored(settings)

    outcome = await asyncio.to_thread(command, settings, name, SIGNING_KEY_SECRET="another")

    assert outcome.returncode != 0
    assert "SIGNING_KEY_SECRET does not open the stored signing keys" in outcome.stdout + outcome.stderr
    assert stored(settings) == before
    assert len(await published(client)) == 1


async def test_a_copy_with_another_secret_does_not_start(client: httpx.AsyncClient, settings: Settings) -> None:
    assert len(await published(client)) == 1
    app = create_app(
        settings.model_copy(update={"signing_key_secret": Settings(signing_key_secret="x").signing_key_secret})
    )

    with pytest.raises(SigningKeyUnreadable):
        async with app.router.lifespan_context(app):
            pass


async def test_production_refuses_the_development_secret(settings: Settings) -> None:
    outcome = await asyncio.to_thread(
        command,
        settings,
        "rotate-keys",
        ENVIRONMENT="production",
        SERVICE_CREDENTIAL="a-real-one",
        SIGNING_KEY_SECRET="",
    )

    assert outcome.returncode != 0
    assert "SIGNING_KEY_SECRET must be set" in outcome.stderr
