"""What the auth service announces, as it arrives at a queue of the real broker."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import psycopg
import pytest

from openmusic_auth.events import UserDeleted, UserRegistered, UserRenamed
from openmusic_auth.settings import Settings
from openmusic_kit.database.database import connection_string
from openmusic_kit.messaging.events import EventData

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"
SCHEMA = json.loads((CONTRACTS / "user.registered.v1.schema.json").read_text())
KIND = "user.registered.v1"
EXAMPLE = json.loads((CONTRACTS / "user.registered.v1.example.json").read_text())


@pytest.fixture
async def events(listening: Any, client: httpx.AsyncClient, settings: Settings) -> AsyncIterator[Any]:
    """What is announced from now on: what earlier tests left in the outbox has gone out before."""
    assert (await client.get("/health/live")).status_code == 200
    async with (
        asyncio.timeout(15),
        listening(),  # an event that no queue takes would stay
        await psycopg.AsyncConnection.connect(connection_string(settings), autocommit=True) as database,
    ):
        while await (await database.execute("SELECT 1 FROM outbox LIMIT 1")).fetchone():
            await asyncio.sleep(0.05)
    async with listening() as listener:
        yield listener


async def test_a_registration_is_announced_as_the_contract_says(events: Any, register: Any, username: str) -> None:
    user_id = await register(username)

    event = await events.next(KIND)

    jsonschema.validate(event, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert set(event) == set(EXAMPLE)
    assert event["data"] == {"userId": user_id, "username": username}
    assert (event["type"], event["version"]) == ("user.registered", 1)
    assert (event["aggregateId"], event["sequence"]) == (user_id, 1)


@pytest.mark.parametrize("kind", [UserRegistered, UserRenamed, UserDeleted])
async def test_the_example_of_the_contract_is_what_this_service_would_say(kind: type[EventData]) -> None:
    example = json.loads((CONTRACTS / f"{kind.routing_key()}.example.json").read_text())

    data = kind.model_validate(example["data"])

    assert data.model_dump(by_alias=True) == example["data"]
    assert (data.event_type, data.event_version) == (example["type"], example["version"])


async def test_a_deletion_is_announced_as_the_contract_says(
    events: Any, client: httpx.AsyncClient, register: Any, log_in: Any, username: str
) -> None:
    user_id = await register(username)
    headers = {"Authorization": f"Bearer {(await log_in(username))['accessToken']}"}
    for password in ("wrong", "secret"):
        await client.request("DELETE", "/users/me", json={"password": password}, headers=headers)

    event = await events.next("user.deleted.v1")

    schema = json.loads((CONTRACTS / "user.deleted.v1.schema.json").read_text())
    jsonschema.validate(event, schema, format_checker=jsonschema.FormatChecker())
    assert event["data"] == {"userId": user_id}
    assert (event["aggregateId"], event["sequence"]) == (user_id, 2)


async def test_a_new_username_is_announced_once_as_the_contract_says(
    events: Any, client: httpx.AsyncClient, register: Any, log_in: Any, username: str
) -> None:
    user_id = await register(username)
    headers = {"Authorization": f"Bearer {(await log_in(username))['accessToken']}"}
    for name in ("first", "first", "second"):
        changed = await client.patch("/users/me", json={"username": f"{username}-{name}"}, headers=headers)
        assert changed.status_code == 200

    announced = [await events.next("user.renamed.v1") for _ in range(2)]

    schema = json.loads((CONTRACTS / "user.renamed.v1.schema.json").read_text())
    for event in announced:
        jsonschema.validate(event, schema, format_checker=jsonschema.FormatChecker())
    assert [(event["sequence"], event["data"]) for event in announced] == [
        (2, {"userId": user_id, "username": f"{username}-first"}),
        (3, {"userId": user_id, "username": f"{username}-second"}),
    ]


async def test_a_refused_registration_announces_nothing(
    events: Any, client: httpx.AsyncClient, register: Any, username: str
) -> None:
    first = await register(username)
    again = {"username": username, "password": "secret", "fullname": "Chris Martin"}
    assert (await client.post("/users", json=again)).status_code == 400
    second = await register(f"{username}2")

    assert [(await events.next(KIND))["aggregateId"] for _ in range(2)] == [first, second]


async def test_the_event_carries_the_id_of_the_request(events: Any, client: httpx.AsyncClient, username: str) -> None:
    registration = {"username": username, "password": "secret", "fullname": "Chris Martin"}
    await client.post("/users", json=registration, headers={"X-Request-ID": "req-of-this-test"})

    assert (await events.next(KIND))["requestId"] == "req-of-this-test"
