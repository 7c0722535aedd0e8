"""What works, and what does not, while a dependency is away."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg

from openmusic_auth.app import create_app
from openmusic_auth.settings import Settings
from openmusic_kit.database.database import connection_string
from openmusic_testkit.serving import run_app

NOBODY_LISTENS = 1  # a port
USER = {"username": "guy", "password": "secret", "fullname": "Guy Berryman"}


async def test_with_everything_there_it_is_ready(client: httpx.AsyncClient) -> None:
    ready = await client.get("/health/ready")

    assert ready.status_code == 200
    assert ready.json()["data"]["dependencies"]["postgresql"] == "up"


async def test_without_the_broker_people_register_and_the_event_waits(new_settings: Callable[..., Settings]) -> None:
    settings = new_settings(rabbitmq_server=f"amqp://guest:guest@127.0.0.1:{NOBODY_LISTENS}/")

    async with run_app(create_app(settings)) as client:
        registered = await client.post("/users", json=USER)
        logged_in = await client.post("/authentications", json=USER)
        ready = await client.get("/health/ready")

    assert (registered.status_code, logged_in.status_code) == (201, 201)
    assert ready.status_code == 200
    assert ready.json()["data"]["dependencies"] == {"postgresql": "up", "rabbitmq": "down"}
    with psycopg.connect(connection_string(settings)) as connection:
        assert connection.execute("SELECT routing_key FROM outbox").fetchall() == [("user.registered.v1",)]


async def test_without_its_database_it_lives_and_says_that_it_is_not_ready(settings: Settings) -> None:
    changes: dict[str, Any] = {"pgport": NOBODY_LISTENS, "pg_pool_wait": 0.3}

    async with run_app(create_app(settings.model_copy(update=changes))) as client:
        live = await client.get("/health/live")
        ready = await client.get("/health/ready")
        refused = [
            await client.post("/users", json=USER),
            await client.post("/authentications", json=USER),
            await client.get("/.well-known/jwks.json"),
        ]

    assert (live.status_code, ready.status_code) == (200, 503)
    for answer in refused:
        assert answer.status_code == 503
        assert answer.json()["status"] == "error"
        assert "retry-after" in answer.headers
