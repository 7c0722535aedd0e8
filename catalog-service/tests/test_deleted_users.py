"""Users who delete their account: their likes go, and none comes back."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from openmusic_catalog.likes import service
from openmusic_catalog.likes.consumer import SUBSCRIPTION
from openmusic_kit.ids import new_id
from openmusic_kit.messaging.events import Envelope

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"
EXAMPLE = json.loads((CONTRACTS / "user.deleted.v1.example.json").read_text())


@pytest.fixture
def alice() -> str:
    return new_id("user")


@pytest.fixture
def bob() -> str:
    return new_id("user")


@pytest.fixture
def delete(app: FastAPI) -> Callable[[str], Awaitable[None]]:
    """Handles the event of the contract's example, about that user."""
    handle = SUBSCRIPTION.bind(app.state.likes)
    return lambda user_id: handle(Envelope.model_validate_json(json.dumps(EXAMPLE | {"data": {"userId": user_id}})))


@pytest.fixture
def likes(client: httpx.AsyncClient) -> Callable[[str], Awaitable[tuple[int, bool]]]:
    async def read(album_id: str) -> tuple[int, bool]:
        """The number, and whether it came from a cache."""
        answer = await client.get(f"/albums/{album_id}/likes")
        return answer.json()["data"]["likes"], answer.headers.get("X-Data-Source") == "cache"

    return read


async def test_the_likes_of_a_deleted_user_no_longer_count(
    monkeypatch: pytest.MonkeyPatch,
    client: httpx.AsyncClient,
    add_album: Any,
    bearer: Any,
    delete: Any,
    likes: Any,
    alice: str,
    bob: str,
) -> None:
    monkeypatch.setattr(service, "DELETION_BATCH", 2)
    albums = [await add_album() for _ in range(5)]
    for album_id in albums:
        for user in (alice, bob):
            assert (await client.post(f"/albums/{album_id}/likes", headers=bearer(user))).status_code == 201
        for _ in range(2):
            before = await likes(album_id)
        assert before == (2, True)

    for _ in range(2):  # an event may come twice
        await delete(alice)

    assert [await likes(album_id) for album_id in albums] == [(1, False)] * 5


async def test_a_deleted_user_likes_nothing_any_more(
    client: httpx.AsyncClient, add_album: Any, bearer: Any, delete: Any, likes: Any, alice: str
) -> None:
    album_id = await add_album()
    await delete(alice)

    answer = await client.post(f"/albums/{album_id}/likes", headers=bearer(alice))

    assert (answer.status_code, answer.json()["status"]) == (401, "fail")
    assert (await likes(album_id))[0] == 0


async def test_a_like_that_meets_the_deletion_does_not_stay(
    client: httpx.AsyncClient, add_album: Any, bearer: Any, delete: Any, likes: Any, locks: Any, alice: str
) -> None:
    """The first like is under way when the event comes. The second comes while the deletion waits for the first."""
    first, second = await add_album(), await add_album()
    async with locks.held("SELECT 1 FROM albums WHERE id = %s FOR UPDATE", first):
        (before,) = await locks.queue(client.post(f"/albums/{first}/likes", headers=bearer(alice)))
        deletion = asyncio.create_task(delete(alice))
        await locks.waiting(2)
        (after,) = await locks.queue(client.post(f"/albums/{second}/likes", headers=bearer(alice)))
    await deletion

    assert ((await before).status_code, (await after).status_code) == (201, 401)
    assert [(await likes(album_id))[0] for album_id in (first, second)] == [0, 0]
