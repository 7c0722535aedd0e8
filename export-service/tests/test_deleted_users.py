"""Users who delete their account: nothing of their exports stays, and none is mailed any more."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from openmusic_export.exports.consumer import SUBSCRIPTION
from openmusic_export.exports.repository import Attempt, JobRepository
from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"
EXAMPLE = json.loads((CONTRACTS / "user.deleted.v1.example.json").read_text())
PAYLOAD = {"targetEmail": "listener@mail.test"}


@pytest.fixture
def alice() -> str:
    return new_id("user")


@pytest.fixture
def delete(queues: Any, connection: Any) -> Callable[[str], Awaitable[None]]:
    """Announces that the user was deleted, and waits until a worker has applied that."""

    async def delete(user_id: str) -> None:
        await queues.put(EXAMPLE | {"data": {"userId": user_id}}, SUBSCRIPTION.name)

        async def done() -> bool:
            cursor = await connection.execute(
                """
                SELECT 1 FROM deleted_users WHERE user_id = %(id)s
                AND NOT EXISTS (SELECT FROM export_jobs WHERE requested_by = %(id)s)
                """,
                {"id": user_id},
            )
            return await cursor.fetchone() is not None

        await eventually(done)

    return delete


async def stored(connection: Any, export_id: str) -> dict[str, Any]:
    cursor = await connection.execute("SELECT * FROM export_jobs WHERE id = %s", [export_id])
    job: dict[str, Any] = await cursor.fetchone()
    return job


async def test_a_pending_export_of_a_deleted_user_is_never_mailed(
    client: httpx.AsyncClient,
    bearer: Any,
    neighbours: Any,
    run_worker: Any,
    mail_server: Any,
    delete: Any,
    connection: Any,
    queues: Any,
    alice: str,
) -> None:
    mail_server.replies["MAIL"] = "451 later"
    playlist_id = neighbours.add_playlist(alice)
    async with run_worker():
        answer = await client.post(f"/export/playlists/{playlist_id}", json=PAYLOAD, headers=bearer(alice))
        export_id = answer.json()["data"]["exportId"]

        async def postponed() -> bool:
            return bool((await stored(connection, export_id))["attempts"])

        await eventually(postponed)
        await delete(alice)
        mail_server.replies.clear()
        other = neighbours.add_playlist("user-other")
        await queues.put(_message(export_id, playlist_id))  # as one that was on its way
        await client.post(f"/export/playlists/{other}", json=PAYLOAD, headers=bearer("user-other"))
        await eventually(lambda: mail_server.mails)
        await eventually(queues.empty)

    job = await stored(connection, export_id)
    assert (job["status"], job["requested_by"], job["playlist_id"], job["target_email"]) == ("cancelled", "", "", "")
    assert (job["reason"], job["problem"]) == (None, None)
    assert [other in str(mail) for mail in mail_server.mails] == [True]
    assert await queues.depth("export.jobs.dead") == 0
    assert (await client.get(f"/export/{export_id}", headers=bearer(alice))).status_code == 404


def _message(export_id: str, playlist_id: str) -> dict[str, Any]:
    example = json.loads((CONTRACTS / "export.requested.v1.example.json").read_text())
    data = {"jobId": export_id, "playlistId": playlist_id, **PAYLOAD}
    return {**example, "id": new_id("event"), "aggregateId": export_id, "data": data}


async def test_a_deleted_user_exports_nothing_any_more(
    client: httpx.AsyncClient, bearer: Any, neighbours: Any, worker: Any, delete: Any, alice: str
) -> None:
    assert worker
    playlist_id = neighbours.add_playlist(alice)
    for _ in range(2):  # an event may come twice
        await delete(alice)

    answer = await client.post(f"/export/playlists/{playlist_id}", json=PAYLOAD, headers=bearer(alice))

    assert (answer.status_code, answer.json()["status"]) == (401, "fail")
    assert (await client.get("/export", headers=bearer(alice))).json()["data"]["exports"] == []


async def test_an_attempt_that_had_begun_sends_nothing_and_stores_nothing(connection: Any, alice: str) -> None:
    """The worker has offered the mail; the user is deleted before its content is sent."""
    jobs = JobRepository(connection)
    attempt = Attempt(new_id("export"), "an-event", 1, copies=0, failing_for=0)
    assert await jobs.add(attempt.job_id, "p", "a@mail.test", "json", alice)
    await connection.execute("INSERT INTO deleted_users (user_id) VALUES (%s)", [alice])

    assert not await jobs.begin_copy(attempt, repeat_after=60)
    await jobs.cancel_all(alice)
    await jobs.postpone(attempt, "no a@mail.test here", "rejected", 1)
    await jobs.settle(attempt, "failed", "no a@mail.test here", "rejected", 60)

    assert "mail.test" not in str(await stored(connection, attempt.job_id))
