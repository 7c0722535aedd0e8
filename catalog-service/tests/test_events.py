"""What the catalogue announces, as it arrives at a queue of the real broker."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"
TRUSTED = {"X-Service-Credential": "the-shared-credential"}


class Announced:
    """Events of the catalogue, each checked against its schema."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener

    async def next(self, kind: str, aggregate_id: str) -> dict[str, Any]:
        event: dict[str, Any] = await self._listener.next(kind, aggregate_id)
        jsonschema.validate(event, json.loads((CONTRACTS / f"{kind}.schema.json").read_text()))
        return event


@pytest.fixture
async def events(listening: Any) -> AsyncIterator[Announced]:
    async with listening() as listener:
        yield Announced(listener)


async def test_a_song_announces_its_whole_life(events: Announced, client: httpx.AsyncClient, add_song: Any) -> None:
    song_id = await add_song(title="Talk")
    created = await events.next("song.created.v1", song_id)
    await client.put(f"/songs/{song_id}", json={"title": "Talk 2", "year": 1, "genre": "x", "performer": "y"})
    updated = await events.next("song.updated.v1", song_id)
    await client.delete(f"/songs/{song_id}")
    deleted = await events.next("song.deleted.v1", song_id)

    assert created["data"] == {"songId": song_id, "title": "Talk", "performer": "Coldplay"}
    assert updated["data"] == {"songId": song_id, "title": "Talk 2", "performer": "y"}
    assert deleted["data"] == {"songId": song_id}
    assert [event["sequence"] for event in (created, updated, deleted)] == [1, 2, 3]
    assert {event["aggregateId"] for event in (created, updated, deleted)} == {song_id}


async def test_an_album_announces_covers_no_longer_used_and_its_end(
    events: Announced, client: httpx.AsyncClient, add_album: Any
) -> None:
    album_id = await add_album()
    old, new = f"/covers/{album_id}/old.png", f"/covers/{album_id}/new.png"
    for path in (old, new, new):
        answer = await client.put(f"/internal/albums/{album_id}/cover", json={"path": path}, headers=TRUSTED)
        assert answer.status_code == 200
    await client.delete(f"/albums/{album_id}")

    replaced = await events.next("album.cover_replaced.v1", album_id)
    deleted = await events.next("album.deleted.v1", album_id)

    assert replaced["data"] == {"albumId": album_id, "path": old}
    assert deleted["data"] == {"albumId": album_id}
    assert deleted["sequence"] > replaced["sequence"]


async def test_a_refused_change_announces_nothing(events: Announced, client: httpx.AsyncClient, add_song: Any) -> None:
    song_id = await add_song()
    wrong = {"title": "t", "year": 1, "genre": "g", "performer": "p", "albumId": "album-unknown"}
    assert (await client.put(f"/songs/{song_id}", json=wrong)).status_code == 404
    await client.delete(f"/songs/{song_id}")

    deleted = await events.next("song.deleted.v1", song_id)

    assert deleted["sequence"] == 2, "the refused update must not have counted"
