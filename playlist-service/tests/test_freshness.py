"""A read shows every change of a song that was acknowledged before it began, though no event has come."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.edge.tags import MAX_TAGS
from openmusic_testkit.waiting import eventually

CREDENTIAL = {"X-Service-Credential": "the-shared-credential"}
NOWHERE = {"redis_port": 1}
Mark = Callable[..., Awaitable[None]]


@pytest.fixture
async def redis(settings: Any) -> AsyncIterator[Redis]:
    async with Redis(host=settings.redis_server, port=settings.redis_port) as redis:
        yield redis


@pytest.fixture
def pending(redis: Redis) -> PendingChanges:
    return PendingChanges(redis, "songs")


def changed(version: int, title: str | None) -> dict[str, Any]:
    return {"version": version, "song": title and {"title": title, "performer": "Coldplay"}}


@pytest.fixture
def mark(pending: PendingChanges) -> Mark:
    """What the catalogue does before it answers a change."""

    async def mark_one(song_id: str, version: int, title: str | None) -> None:
        assert await pending.mark(song_id, version, json.dumps(changed(version, title)).encode())

    return mark_one


async def titles(person: Any, playlist_id: str, through: httpx.AsyncClient | None = None) -> list[str]:
    answer = await person.call("GET", f"/playlists/{playlist_id}/songs", through=through)
    assert answer.status_code == 200, answer.text
    return [song["title"] for song in answer.json()["data"]["playlist"]["songs"]]


async def cached(person: Any, playlist_id: str) -> list[str]:
    await person.read(playlist_id)
    shown, hit = await person.read(playlist_id)
    assert hit
    return list(shown)


async def test_a_pending_rename_is_in_the_next_read_and_settled_by_it(
    peers: Any, alice: Any, mark: Mark, pending: PendingChanges
) -> None:
    song_id = peers.add_song("Talk")
    playlist_id, other_id = await alice.add_playlist(), await alice.add_playlist()
    for each in (playlist_id, other_id):
        await alice.add(each, song_id)
        assert await cached(alice, each) == ["Talk"]

    await mark(song_id, 2, "Talk 2")

    assert await alice.read(playlist_id) == (["Talk 2"], False)
    assert await alice.read(playlist_id) == (["Talk 2"], True)
    assert await alice.read(other_id) == (["Talk 2"], False)
    look = await pending.look()
    assert look is not None and song_id not in look.changes


async def test_a_pending_deletion_is_in_every_answer_at_once(
    peers: Any, alice: Any, mark: Mark, client: httpx.AsyncClient
) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    assert await cached(alice, playlist_id) == ["Talk"]

    del peers.songs[song_id]
    await mark(song_id, 2, None)

    assert await alice.remove(playlist_id, song_id) == 404
    copy = await client.get(f"/internal/playlists/{playlist_id}", headers=CREDENTIAL)
    assert copy.json()["data"]["songs"] == []
    assert await alice.read(playlist_id) == ([], False)
    assert await alice.add(playlist_id, song_id) == 404
    assert [each["action"] for each in await alice.activities(playlist_id)] == ["add"]


async def test_the_export_and_the_activities_show_a_pending_rename(
    peers: Any, alice: Any, mark: Mark, client: httpx.AsyncClient
) -> None:
    first, second, playlist_id = peers.add_song("Talk"), peers.add_song("Lost!"), await alice.add_playlist()
    await alice.add(playlist_id, first)
    await alice.add(playlist_id, second)

    await mark(first, 2, "Talk 2")
    copy = await client.get(f"/internal/playlists/{playlist_id}", headers=CREDENTIAL)
    assert [song["title"] for song in copy.json()["data"]["songs"]] == ["Talk 2", "Lost!"]

    await mark(second, 2, "Lost 2")
    assert await alice.remove(playlist_id, second) == 200
    assert [each["title"] for each in await alice.activities(playlist_id)] == ["Talk", "Lost!", "Lost 2"]


async def test_an_event_settles_what_is_pending(peers: Any, mark: Mark, events: Any, pending: PendingChanges) -> None:
    renamed, deleted = peers.add_song("Talk"), peers.add_song("Lost!")
    await mark(renamed, 2, "Talk 2")
    await mark(deleted, 2, None)

    await events.song("updated", renamed, 2, "Talk 2")
    await events.song("deleted", deleted, 2)

    async def settled() -> bool:
        look = await pending.look()
        return look is not None and not {renamed, deleted} & set(look.changes)

    await eventually(settled)


async def test_an_old_pending_change_does_no_harm(peers: Any, alice: Any, mark: Mark) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    peers.rename(song_id, "Talk 2")
    await alice.add(playlist_id, song_id)

    await mark(song_id, 1, "Talk")

    assert (await alice.read(playlist_id))[0] == ["Talk 2"]


async def test_a_pending_change_that_makes_no_sense_hides_no_other(
    peers: Any, alice: Any, mark: Mark, pending: PendingChanges
) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    await pending.mark("song-x", 1, b"[]")
    await mark(song_id, 2, "Talk 2")

    assert (await alice.read(playlist_id))[0] == ["Talk 2"]
    look = await pending.look()
    assert look is not None and "song-x" not in look.changes


async def test_what_was_lost_with_redis_is_asked_for_once(peers: Any, alice: Any, redis: Redis) -> None:
    song_id, deleted, playlist_id = peers.add_song("Talk"), peers.add_song("Lost!"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    await alice.add(playlist_id, deleted)
    assert await cached(alice, playlist_id) == ["Talk", "Lost!"]

    peers.rename(song_id, "Talk 2")
    await redis.flushall()
    assert await titles(alice, playlist_id) == ["Talk 2", "Lost!"]

    asked = len(peers.asked)
    await redis.delete(f"playlist:songs:{playlist_id}")
    assert await alice.read(playlist_id) == (["Talk 2", "Lost!"], False)
    assert len(peers.asked) == asked

    del peers.songs[deleted]
    await redis.flushall()
    assert await titles(alice, playlist_id) == ["Talk 2"]


async def test_a_cached_answer_is_not_used_when_pending_changes_alone_were_lost(
    peers: Any, alice: Any, redis: Redis
) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    assert await cached(alice, playlist_id) == ["Talk"]

    peers.rename(song_id, "Talk 2")
    await redis.delete("pending:songs")

    assert await alice.read(playlist_id) == (["Talk 2"], False)
    assert await cached(alice, playlist_id) == ["Talk 2"]


async def test_what_another_version_has_cached_is_not_used(peers: Any, alice: Any, redis: Redis) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    assert await cached(alice, playlist_id) == ["Talk"]
    key = f"playlist:songs:{playlist_id}"
    generation, head, answer = (await redis.get(key)).split(b"\n", 2)
    assert alice.id in json.loads(head)  # as it looks there
    await redis.set(key, b"\n".join([generation, json.dumps([alice.id]).encode(), answer.replace(b"Talk", b"Old")]))

    assert await alice.read(playlist_id) == (["Talk"], False)


async def test_a_copy_that_is_believed_has_its_pending_change(peers: Any, alice: Any, mark: Mark) -> None:
    renamed, deleted, playlist_id = peers.add_song("Talk"), peers.add_song("Lost!"), await alice.add_playlist()
    other_id = await alice.add_playlist()
    await alice.add(other_id, renamed)
    await alice.add(other_id, deleted)
    await mark(renamed, 2, "Talk 2")
    await mark(deleted, 2, None)
    peers.down.add("songs")

    assert await alice.add(playlist_id, deleted) == 404
    assert await alice.add(playlist_id, renamed) == 201
    assert [each["title"] for each in await alice.activities(playlist_id)] == ["Talk 2"]


async def test_a_reader_without_redis_asks_the_catalogue(
    peers: Any, alice: Any, start: Callable[..., Awaitable[httpx.AsyncClient]]
) -> None:
    renamed, deleted, playlist_id = peers.add_song("Talk"), peers.add_song("Lost!"), await alice.add_playlist()
    await alice.add(playlist_id, renamed)
    await alice.add(playlist_id, deleted)
    cut_off = await start(**NOWHERE)
    peers.rename(renamed, "Talk 2")
    del peers.songs[deleted]

    assert await titles(alice, playlist_id, through=cut_off) == ["Talk 2"]
    body = {"songId": deleted}
    removal = await alice.call("DELETE", f"/playlists/{playlist_id}/songs", body, through=cut_off)
    assert removal.status_code == 404
    copy = await cut_off.get(f"/internal/playlists/{playlist_id}", headers=CREDENTIAL)
    assert [song["title"] for song in copy.json()["data"]["songs"]] == ["Talk 2"]


async def test_a_reader_without_redis_and_without_the_catalogue_believes_the_copies(
    peers: Any, alice: Any, start: Callable[..., Awaitable[httpx.AsyncClient]]
) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    cut_off = await start(**NOWHERE)
    peers.down.add("songs")

    assert await titles(alice, playlist_id, through=cut_off) == ["Talk"]
    body = {"songId": song_id}
    assert (await alice.call("DELETE", f"/playlists/{playlist_id}/songs", body, through=cut_off)).status_code == 200


async def test_a_change_that_could_not_be_marked_is_applied_when_it_is_told(
    peers: Any, alice: Any, client: httpx.AsyncClient
) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    path = f"/internal/read-copies/songs/{song_id}"
    assert await cached(alice, playlist_id) == ["Talk"]

    assert (await client.put(path, json=changed(2, "Talk 2"))).status_code == 401
    assert (await client.put(path, json={}, headers=CREDENTIAL)).status_code == 400
    assert await alice.read(playlist_id) == (["Talk"], True)
    assert (await client.put(path, json=changed(2, "Talk 2"), headers=CREDENTIAL)).status_code == 200
    assert await alice.read(playlist_id) == (["Talk 2"], False)
    assert (await client.put(path, json=changed(3, None), headers=CREDENTIAL)).status_code == 200
    assert await alice.read(playlist_id) == ([], False)


@pytest.mark.parametrize(("number", "named"), [(0, True), (MAX_TAGS - 1, True), (MAX_TAGS, False)])
async def test_an_answer_names_its_songs_for_the_edge_unless_they_are_too_many(
    peers: Any, alice: Any, connection: Any, number: int, named: bool
) -> None:
    playlist_id = await alice.add_playlist()
    songs = [peers.add_song() for _ in range(number)]
    for song_id in songs:
        await connection.execute("INSERT INTO songs VALUES (%s, 't', 'p', 1)", [song_id])
        await connection.execute("INSERT INTO playlist_songs VALUES (%s, %s)", [playlist_id, song_id])

    for _ in range(2):  # filled, and from the cache
        answer = await alice.call("GET", f"/playlists/{playlist_id}/songs")
        expected = [f"song:{song_id}" for song_id in songs] if named else ["song"]
        assert answer.headers["Cache-Tag"].split(",") == [f"playlist:{playlist_id}", *expected]


BY_IDS = "/internal/songs/by-ids"


async def test_an_addition_sees_what_the_catalogue_acknowledged(peers: Any, alice: Any, mark: Mark) -> None:
    playlist_id, other = await alice.add_playlist(), await alice.add_playlist()
    renamed, deleted = peers.add_song("Talk"), peers.add_song("Gone")
    for song_id in (renamed, deleted):
        await alice.add(other, song_id)

    await mark(renamed, peers.rename(renamed, "Talk 2"), "Talk 2")
    del peers.songs[deleted]
    await mark(deleted, 2, None)

    assert await alice.add(playlist_id, renamed) == 201
    assert await alice.add(playlist_id, deleted) == 404
    assert (await alice.read(playlist_id))[0] == ["Talk 2"]
    assert [activity["title"] for activity in await alice.activities(playlist_id)] == ["Talk 2"]


async def test_the_catalogue_is_asked_for_a_song_only_once(peers: Any, alice: Any) -> None:
    song_id = peers.add_song("Talk")
    for _ in range(3):
        assert await alice.add(await alice.add_playlist(), song_id) == 201
    assert peers.asked.count(BY_IDS) == 1


async def test_a_song_that_was_not_there_is_asked_for_again(peers: Any, alice: Any) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    created = peers.songs.pop(song_id)
    assert await alice.add(playlist_id, song_id) == 404

    peers.songs[song_id] = created

    assert await alice.add(playlist_id, song_id) == 201


async def test_after_redis_was_emptied_the_catalogue_is_asked_again(peers: Any, alice: Any, redis: Redis) -> None:
    deleted, kept = peers.add_song("Gone"), peers.add_song("Talk")
    other = await alice.add_playlist()
    for song_id in (deleted, kept):
        await alice.add(other, song_id)
    del peers.songs[deleted]  # and its mark was lost

    await redis.delete("pending:songs")

    playlist_id = await alice.add_playlist()
    assert await alice.add(playlist_id, deleted) == 404
    for _ in range(2):
        peers.asked.clear()
        assert await alice.add(await alice.add_playlist(), kept) == 201
    assert peers.asked == []


async def test_without_redis_the_catalogue_is_asked_each_time(peers: Any, alice: Any, start: Any) -> None:
    song_id, playlist_id = peers.add_song("Talk"), await alice.add_playlist()
    await alice.add(playlist_id, song_id)
    without_redis = await start(**NOWHERE)
    del peers.songs[song_id]

    answer = await alice.call(
        "POST", f"/playlists/{await alice.add_playlist()}/songs", {"songId": song_id}, through=without_redis
    )

    assert answer.status_code == 404
