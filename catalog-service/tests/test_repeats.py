"""Requests with an ``Idempotency-Key``: however often and at whatever moment they come, one change is made."""

import asyncio
import secrets
from typing import Any

import httpx
import pytest

from openmusic_kit.web import compiled

ALBUM = {"name": "Viva la Vida", "year": 2008}
SONG = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay"}
ALICE, BOB = "user-" + "a" * 32, "user-" + "b" * 32
LOCK_ALBUM = "SELECT 1 FROM albums WHERE id = %s FOR UPDATE"


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


@pytest.fixture
def name() -> str:
    """Of an album that no other test has."""
    return f"album {secrets.token_hex(8)}"


@pytest.fixture
def albums(connection: Any, name: str) -> Any:
    async def count() -> int:
        cursor = await connection.execute("SELECT count(*) AS albums FROM albums WHERE name = %s", [name])
        return int((await cursor.fetchone())["albums"])

    return count


def refused(answer: httpx.Response, status: int, message: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == ("fail" if status < 500 else "error")
    assert message in answer.json()["message"]


async def test_a_repeat_gets_the_first_answer_and_changes_nothing(
    client: httpx.AsyncClient, key: dict[str, str], name: str, albums: Any
) -> None:
    first, *repeats = [await client.post("/albums", json={"name": name, "year": 2008}, headers=key) for _ in range(3)]

    assert first.status_code == 201
    for repeat in repeats:
        assert (repeat.status_code, repeat.json()) == (201, first.json())
        assert repeat.headers["Location"] == first.headers["Location"]
        assert repeat.headers["Cache-Purge"] == first.headers["Cache-Purge"], "the first may not have arrived"
    assert await albums() == 1


async def test_without_a_key_each_request_makes_a_change(client: httpx.AsyncClient, name: str, albums: Any) -> None:
    for _ in range(2):
        assert (await client.post("/albums", json={"name": name, "year": 2008})).status_code == 201

    assert await albums() == 2


async def test_a_key_belongs_to_one_request(client: httpx.AsyncClient, key: dict[str, str]) -> None:
    assert (await client.post("/albums", json=ALBUM, headers=key)).status_code == 201

    refused(await client.post("/albums", json=ALBUM | {"year": 2009}, headers=key), 400, "another request")
    refused(await client.post("/songs", json=SONG, headers=key), 400, "another request")


@pytest.mark.parametrize("given", [[""], [" "], ["a b"], ["x" * 256], ["ü"], ["one", "two"]])
async def test_a_key_must_be_a_key(client: httpx.AsyncClient, given: list[str], name: str, albums: Any) -> None:
    headers = [("Idempotency-Key", each.encode("latin-1")) for each in given]

    refused(await client.post("/albums", json={"name": name, "year": 1}, headers=headers), 400, "Idempotency-Key")  # type: ignore[arg-type]  # bytes too
    assert await albums() == 0


async def test_the_token_is_checked_before_the_key(client: httpx.AsyncClient, add_album: Any) -> None:
    path = f"/albums/{await add_album()}/likes"

    refused(await client.post(path, headers={"Idempotency-Key": ""}), 401)


async def test_each_user_and_each_address_has_keys_of_its_own(
    client: httpx.AsyncClient, add_album: Any, bearer: Any, key: dict[str, str], name: str, albums: Any
) -> None:
    path = f"/albums/{await add_album()}/likes"
    for user in (ALICE, BOB):
        for _ in range(2):
            assert (await client.post(path, headers=bearer(user) | key)).status_code == 201
    assert (await client.get(path)).json()["data"]["likes"] == 2
    for address in ("192.0.2.1", "192.0.2.2"):
        for _ in range(2):
            headers = key | {"X-Forwarded-For": address}
            assert (await client.post("/albums", json={"name": name, "year": 1}, headers=headers)).status_code == 201
    assert await albums() == 2


async def test_a_request_that_changed_nothing_may_succeed_later(
    client: httpx.AsyncClient, add_album: Any, bearer: Any, key: dict[str, str]
) -> None:
    path = f"/albums/{await add_album()}/likes"
    assert (await client.post(path, headers=bearer(ALICE))).status_code == 201
    for _ in range(2):
        refused(await client.post(path, headers=bearer(ALICE) | key), 400, "already")
    assert (await client.delete(path, headers=bearer(ALICE))).status_code == 200

    assert (await client.post(path, headers=bearer(ALICE) | key)).status_code == 201


async def test_the_first_answer_is_repeated_whatever_became_of_the_change(
    client: httpx.AsyncClient, add_album: Any, bearer: Any, key: dict[str, str]
) -> None:
    path = f"/albums/{await add_album()}/likes"
    first = await client.post(path, headers=bearer(ALICE) | key)
    assert (await client.delete(path, headers=bearer(ALICE))).status_code == 200

    repeat = await client.post(path, headers=bearer(ALICE) | key)

    assert (repeat.status_code, repeat.json()) == (201, first.json())
    assert (await client.get(path)).json()["data"]["likes"] == 0


async def test_while_the_first_is_under_way_a_second_is_told_to_come_again(
    client: httpx.AsyncClient, add_album: Any, locks: Any, key: dict[str, str]
) -> None:
    album_id = await add_album()
    song = SONG | {"albumId": album_id}
    async with locks.held(LOCK_ALBUM, album_id):
        (first,) = await locks.queue(client.post("/songs", json=song, headers=key))

        second = await client.post("/songs", json=song, headers=key)

        refused(second, 503, "under way")
        assert int(second.headers["Retry-After"]) >= 1
    third = await client.post("/songs", json=song, headers=key) if (await first).status_code == 201 else await first
    assert third.json() == (await first).json()
    songs = (await client.get(f"/albums/{album_id}")).json()["data"]["album"]["songs"]
    assert [each["id"] for each in songs] == [third.json()["data"]["songId"]]


async def test_of_many_at_once_one_makes_the_change(
    client: httpx.AsyncClient, key: dict[str, str], name: str, albums: Any
) -> None:
    body = {"name": name, "year": 2008}

    answers = await asyncio.gather(*(client.post("/albums", json=body, headers=key) for _ in range(20)))

    assert await albums() == 1
    assert {answer.status_code for answer in answers} <= {201, 503}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    repeat = await client.post("/albums", json=body, headers=key)
    assert repeat.text in {answer.text for answer in answers}


async def test_an_answer_that_was_lost_after_the_commit_is_given_to_the_repeat(
    client: httpx.AsyncClient, key: dict[str, str], name: str, albums: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": name, "year": 2008}
    with monkeypatch.context() as crashing:
        crashing.setattr(compiled, "_respond", _crash)
        assert (await client.post("/albums", json=body, headers=key)).status_code == 500
    assert await albums() == 1, "the change was committed"

    repeat = await client.post("/albums", json=body, headers=key)

    assert repeat.status_code == 201
    assert (await client.get(repeat.headers["Location"])).json()["data"]["album"]["name"] == name
    assert await albums() == 1


async def _crash(*_: object) -> None:
    raise RuntimeError("the process died")


async def test_a_change_that_did_not_commit_is_made_by_the_repeat(
    client: httpx.AsyncClient, add_album: Any, connection: Any, locks: Any, key: dict[str, str]
) -> None:
    album_id = await add_album()
    song = SONG | {"albumId": album_id}
    async with locks.held(LOCK_ALBUM, album_id):
        (first,) = await locks.queue(client.post("/songs", json=song, headers=key))
        await connection.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
            """
        )
        refused(await first, 503)

    assert (await client.post("/songs", json=song, headers=key)).status_code == 201
    assert len((await client.get(f"/albums/{album_id}")).json()["data"]["album"]["songs"]) == 1


async def test_a_key_is_kept_for_a_day_and_then_removed(
    client: httpx.AsyncClient, connection: Any, key: dict[str, str], name: str, albums: Any
) -> None:
    async def age(hours: int) -> None:
        await connection.execute("UPDATE idempotency_keys SET created_at = now() - make_interval(hours => %s)", [hours])

    async def stored() -> int:
        cursor = await connection.execute("SELECT count(*) AS keys FROM idempotency_keys")
        return int((await cursor.fetchone())["keys"])

    await connection.execute("TRUNCATE idempotency_keys")
    body = {"name": name, "year": 2008}
    first = await client.post("/albums", json=body, headers=key)
    await age(23)
    assert (await client.post("/albums", json=body, headers=key)).json() == first.json()
    await age(25)

    second = await client.post("/albums", json=body, headers=key)

    assert (second.status_code, await albums()) == (201, 2)
    assert second.json() != first.json()
    await age(25)
    await client.post("/albums", json=body, headers={"Idempotency-Key": "another"})
    assert await stored() == 1
