"""Covers go when the catalogue says that nobody needs them, and only then."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openmusic_local.poison import poisons
from openmusic_media.covers.consumer import QUEUE
from openmusic_testkit.waiting import eventually

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"


@pytest.fixture
async def client(events: Any, run: Any, backend: Any) -> AsyncIterator[Any]:
    """Of a service that hears events, none of which are of another test."""
    assert await events.depth(QUEUE.name) == 0
    async with run(backend) as client:

        async def listening() -> bool:
            up: bool = (await client.get("/health/ready")).json()["data"]["dependencies"]["rabbitmq"] == "up"
            return up

        await eventually(listening)
        yield client


@pytest.fixture
def cover(upload: Any, catalogue: Any, png: bytes) -> Any:
    async def add(album_id: str | None = None) -> tuple[str, str]:
        """The album, and the path of the cover that it has now."""
        album_id = album_id or str(catalogue.add_album())
        assert (await upload(album_id, png)).status_code == 201
        return album_id, catalogue.path(album_id)

    return add


@pytest.fixture
def gone(client: Any) -> Any:
    async def wait(path: str) -> None:
        async def missing() -> bool:
            status: int = (await client.get(path)).status_code
            return status == 404

        await eventually(missing)

    return wait


@pytest.fixture
def dead(events: Any) -> Any:
    async def wait() -> tuple[bytes, str]:
        """The next event that could not be applied, and the reason."""
        body, reason = await eventually(events.next_dead)
        return body, reason

    return wait


def example(kind: str, **data: str) -> bytes:
    """That of the contract, but with these data."""
    event = json.loads((CONTRACTS / f"{kind}.v1.example.json").read_text())
    assert set(data) == set(event["data"])
    return json.dumps(event | {"data": data}).encode()


async def test_a_cover_that_was_replaced_goes_and_the_new_one_stays(
    client: Any, events: Any, cover: Any, gone: Any, backend: Any
) -> None:
    album_id, first = await cover()
    _, second = await cover(album_id)

    await events.publish_as_it_is(
        example("album.cover_replaced", albumId=album_id, path=first), "album.cover_replaced.v1"
    )

    await gone(first)
    assert (await client.get(second)).status_code == 200
    assert await backend.content() == [second.removeprefix("/covers/")]


async def test_all_covers_of_an_album_go_with_it(client: Any, events: Any, cover: Any, gone: Any, backend: Any) -> None:
    album_id, first = await cover()
    _, second = await cover(album_id)
    _, other = await cover()

    await events.publish_as_it_is(example("album.deleted", albumId=album_id), "album.deleted.v1")

    await gone(first)
    await gone(second)
    assert (await client.get(other)).status_code == 200

    async def only_the_other() -> bool:
        return bool(await backend.content() == [other.removeprefix("/covers/")])

    await eventually(only_the_other)


async def test_the_examples_of_the_contracts_are_understood(events: Any, cover: Any, gone: Any) -> None:
    album_id, path = await cover()
    for kind in ("album.cover_replaced", "album.deleted"):
        await events.publish_as_it_is((CONTRACTS / f"{kind}.v1.example.json").read_bytes(), f"{kind}.v1")
    await events.deleted(album_id)
    await gone(path)

    assert await events.depth(QUEUE.dead) == 0
    assert await events.set_aside() == 0


async def test_events_that_come_twice_or_late_do_no_harm(client: Any, events: Any, cover: Any, gone: Any) -> None:
    album_id, first = await cover()
    _, second = await cover(album_id)
    other_album, other_first = await cover()
    _, other_second = await cover(other_album)

    await events.deleted(album_id)
    for _ in range(30):  # more than are handled at once
        await events.replaced(album_id, first)
        await events.replaced(other_album, other_first)
        await events.deleted(album_id)
    await gone(other_first)
    await gone(second)

    async def all_applied() -> bool:
        return bool(await events.depth(QUEUE.name) + await events.set_aside() == 0)

    await eventually(all_applied)
    assert (await client.get(other_second)).status_code == 200
    assert await events.depth(QUEUE.dead) == 0


async def test_the_same_image_uploaded_again_outlives_the_late_news_of_the_first(
    client: Any, events: Any, cover: Any, gone: Any
) -> None:
    album_id, first = await cover()
    _, again = await cover(album_id)
    assert (await client.get(first)).content == (await client.get(again)).content

    await events.replaced(album_id, first)

    await gone(first)
    assert (await client.get(again)).status_code == 200


async def test_what_arrives_while_the_storage_is_away_is_applied_when_it_is_back(
    events: Any, cover: Any, gone: Any, backend: Any
) -> None:
    replaced_album, first = await cover()
    _, second = await cover(replaced_album)
    deleted_album, path = await cover()
    await backend.go_away()

    await events.replaced(replaced_album, first)
    await events.deleted(deleted_album)

    async def both_failed() -> bool:
        return bool(await events.set_aside() == 2)

    await eventually(both_failed)
    await backend.come_back()
    await gone(first)
    await gone(path)

    async def only_the_second() -> bool:
        return bool(await backend.content() == [second.removeprefix("/covers/")])

    await eventually(only_the_second)


async def test_an_event_cannot_lead_out_of_its_album(
    events: Any, cover: Any, dead: Any, backend: Any, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_text("x")
    album_id, mine = await cover()
    other_album, other = await cover()
    file, other_file = mine.split("/")[3], other.split("/")[3]
    paths = [
        other,
        f"/covers/{album_id}/../{other_album}/{other_file}",
        f"/covers/{album_id}/../../secret.png",
        f"/covers/{album_id}/..",
        f"/covers/{album_id}/",
        f"/covers/{album_id}",
        "/covers/",
        f"/covers/{album_id}/./{file}",
        f"/covers/{album_id}/{file}\0",
        f"/covers/{album_id}/{file}\n",
        f"/covers/{album_id}//{file}",
        f"/covers//{album_id}/{file}",
        f"/{tmp_path}/secret.png",
    ]
    for path in paths:
        await events.replaced(album_id, path)

        body, reason = await dead()

        assert json.loads(body)["data"]["path"] == path
        assert reason == "not a cover of that album"
    assert len(await backend.content()) == 2
    assert (tmp_path / "secret.png").exists()


async def test_an_event_cannot_delete_more_than_one_album(events: Any, cover: Any, dead: Any, backend: Any) -> None:
    await cover()

    for album_id in ("", "..", "album-", ".", "album-x", "/", "album-" + "A" * 32):
        await events.publish("album.deleted", "album-x", {"albumId": album_id})
        assert (await dead())[1] == "not the id of an album"

    assert len(await backend.content()) == 1


@pytest.mark.parametrize(("kind", "path"), [("album.deleted", {}), ("album.cover_replaced", {"path": "/covers/x/y"})])
async def test_poison_is_dead_with_a_reason_and_what_is_behind_it_is_applied(
    client: Any, events: Any, cover: Any, gone: Any, dead_letters: Any, kind: str, path: dict[str, str]
) -> None:
    (album_id, stays), (other_album, goes) = await cover(), await cover()
    good = json.loads(example(kind, albumId=album_id, **path))
    table = {poison.what: poison for poison in poisons(good)}

    await dead_letters.put(QUEUE.name, {what: poison.body for what, poison in table.items()})
    for _ in range(100):
        await events.deleted(other_album)
    await gone(goes)

    reasons = await dead_letters.reasons(QUEUE.name, table.keys())
    misleading = {what: reason for what, reason in reasons.items() if not re.match(table[what].reason, reason)}
    assert misleading == {}
    assert await events.set_aside() == 0
    assert (await client.get(stays)).status_code == 200
