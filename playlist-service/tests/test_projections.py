"""Events as they come from the broker: twice, late, in the wrong order, or not as promised."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from openmusic_kit.context import new_request_id
from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"
DEAD = "playlist.read_copies.dead"


@pytest.fixture
def rejected(events: Any) -> Any:
    async def reason(event_id: str) -> str:
        """Why the event with that id is dead."""
        queue = await events.channel.get_queue(DEAD)
        async with asyncio.timeout(20), queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                if json.loads(message.body).get("id") == event_id:
                    return str(message.headers["x-reason"])
        raise AssertionError("the queue was closed")

    return reason


async def test_the_examples_of_the_contracts_are_understood(
    events: Any, applied: Any, song_copy: Any, connection: Any
) -> None:
    example = {
        kind: json.loads((CONTRACTS / f"{kind}.v1.example.json").read_text())
        for kind in ("song.created", "song.updated", "song.deleted", "user.registered")
    }
    seen = []
    for kind, event in example.items():
        await events.publish_as_it_is(event, f"{kind}.v1")
        await applied(event["id"])
        seen.append(await song_copy(example["song.created"]["aggregateId"]))

    created, updated, deleted, _ = seen
    assert created == {"title": "Life in Technicolor", "performer": "Coldplay", "version": 1, "deleted": False}
    assert updated == {"title": "Life in Technicolor II", "performer": "Coldplay", "version": 2, "deleted": False}
    assert (deleted["version"], deleted["deleted"]) == (3, True)
    cursor = await connection.execute(
        "SELECT username FROM users WHERE id = %s", [example["user.registered"]["data"]["userId"]]
    )
    assert await cursor.fetchone() == {"username": "dicoding"}


async def test_older_news_are_ignored(events: Any, applied: Any, song_copy: Any) -> None:
    song_id = new_id("song")
    for kind, sequence, title in [("updated", 3, "third"), ("created", 1, "first"), ("updated", 2, "second")]:
        await applied(await events.song(kind, song_id, sequence, title))

    assert (await song_copy(song_id))["title"] == "third"
    assert (await song_copy(song_id))["version"] == 3


async def test_a_deleted_song_stays_deleted_whatever_comes_late(
    events: Any, applied: Any, song_copy: Any, peers: Any, alice: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await applied(await events.song("deleted", song_id, 3))
    await applied(await events.song("created", song_id, 1, "x"), await events.song("updated", song_id, 2, "y"))
    await applied(await events.song("updated", song_id, 4, "z"))

    assert (await song_copy(song_id))["deleted"] is True
    assert await alice.add(playlist_id, song_id) == 404


async def test_an_event_that_comes_twice_is_applied_once(
    events: Any, applied: Any, peers: Any, alice: Any, connection: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist(), peers.add_song()
    await alice.add(playlist_id, song_id)
    event_id = new_request_id()
    for _ in range(5):
        await events.publish(
            "song.updated", song_id, 2, {"songId": song_id, "title": "B", "performer": "C"}, id=event_id
        )
    last = await events.song("updated", song_id, 3, "D")
    await applied(event_id, last)

    assert (await alice.read(playlist_id))[0] == ["D"]
    cursor = await connection.execute("SELECT count(*) AS n FROM inbox WHERE event_id = %s", [event_id])
    assert (await cursor.fetchone())["n"] == 1


async def test_a_repeated_id_is_not_applied_even_if_it_tells_something_else(
    events: Any, applied: Any, song_copy: Any
) -> None:
    song_id, event_id, data = new_id("song"), new_request_id(), {"title": "A", "performer": "B"}
    await events.publish("song.created", song_id, 1, data | {"songId": song_id}, id=event_id)
    await applied(event_id)
    for _ in range(30):  # more than are handled at once, so that some are done when the marker comes
        await events.publish("song.updated", song_id, 2, data | {"songId": song_id, "title": "Z"}, id=event_id)
    await applied(await events.song("updated", song_id, 1, "marker"))

    assert (await song_copy(song_id))["title"] == "A"


async def test_a_deleted_song_leaves_every_playlist_also_the_cached_ones(
    peers: Any, events: Any, applied: Any, alice: Any, bob: Any
) -> None:
    gone, stays = peers.add_song("gone"), peers.add_song("stays")
    playlists = [(person, await person.add_playlist()) for person in (alice, alice, bob)]
    for person, playlist_id in playlists:
        for song_id in (gone, stays):
            await person.add(playlist_id, song_id)
        await person.read(playlist_id)
    del peers.songs[gone]

    await applied(await events.song("deleted", gone, 2))

    for person, playlist_id in playlists:

        async def without(person: Any = person, playlist_id: str = playlist_id) -> bool:
            return (await person.read(playlist_id))[0] == ["stays"]

        await eventually(without, 2)
        assert await person.remove(playlist_id, gone) == 404


async def test_an_event_with_more_than_we_use_is_understood(events: Any, applied: Any, song_copy: Any) -> None:
    song_id = new_id("song")
    data = {"songId": song_id, "title": "A", "performer": "B", "mood": "blue"}

    await applied(await events.publish("song.created", song_id, 1, data, more="of it"))

    assert (await song_copy(song_id))["title"] == "A"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"songId": "song-x"},
        {"songId": 1, "title": "a", "performer": "b"},
        {"songId": "s", "title": "a", "performer": None},
    ],
)
async def test_an_event_without_what_was_promised_goes_to_the_dead(events: Any, rejected: Any, data: Any) -> None:
    event_id = await events.publish("song.created", "song-x", 1, data)

    assert "malformed" in await rejected(event_id)


@pytest.mark.parametrize(("kind", "version"), [("song.sung", 1), ("song.created", 2)])
async def test_an_event_that_nobody_promised_goes_to_the_dead(
    events: Any, rejected: Any, kind: str, version: int
) -> None:
    event = {"id": new_request_id(), "type": kind, "version": version, "aggregateId": "x", "sequence": 1}
    body = json.dumps(event | {"time": "2026-01-02T03:04:05Z", "requestId": "r", "data": {}}).encode()
    await events.channel.default_exchange.publish(
        aio_pika.Message(body, message_id=event["id"]), "playlist.read_copies"
    )

    assert "unknown event" in await rejected(event["id"])


async def test_events_that_pile_up_are_applied_together(
    events: Any, applied: Any, song_copy: Any, connection: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """While the first one waits for a lock, the others arrive: twice, in the wrong order, and of a deleted song."""
    held, deleted, *others = [new_id("song") for _ in range(12)]
    await applied(await events.song("created", held, 1, "held"), await events.song("deleted", deleted, 2))
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM songs WHERE id = %s FOR UPDATE", [held])
        ids = [await events.song("updated", held, 2, "no longer held")]
        for song_id in others:
            ids += [
                await events.song("updated", song_id, 2, "second"),
                await events.song("created", song_id, 1, "first"),
            ]
        ids.append(await events.song("created", deleted, 1, "late"))
        await events.publish("song.updated", held, 2, {"songId": held, "title": "again", "performer": "C"}, id=ids[0])
    await applied(*ids)

    assert [(await song_copy(each))["title"] for each in (held, *others)] == ["no longer held", *["second"] * 10]
    assert (await song_copy(deleted))["deleted"]
    assert not [record for record in caplog.records if record.message == "batch failed"]
