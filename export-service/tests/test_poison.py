"""Whatever lies in the queue, the exports behind it are sent, and an operator is told what was wrong."""

import json
import re
from typing import Any

import pytest

from openmusic_export.events import ExportRequested
from openmusic_kit.ids import new_id
from openmusic_kit.messaging.events import Envelope
from openmusic_local.poison import Poison, poisons
from openmusic_testkit.waiting import eventually

QUEUE = "export.jobs"
HEADER_INJECTION = "listener@mail.test\r\nBcc: everyone@mail.test"


@pytest.fixture
def requested(neighbours: Any, connection: Any) -> Any:
    async def job() -> dict[str, Any]:
        """A job that nobody announced yet, and the event that does."""
        playlist_id, job_id = neighbours.add_playlist("user-a"), new_id("export")
        await connection.execute(
            "INSERT INTO export_jobs (id, playlist_id, target_email, requested_by) VALUES (%s, %s, %s, %s)",
            [job_id, playlist_id, "listener@mail.test", "user-a"],
        )
        data = ExportRequested(job_id=job_id, playlist_id=playlist_id, target_email="listener@mail.test")
        event: dict[str, Any] = Envelope.of(data, job_id, 1).model_dump(by_alias=True, mode="json")
        return event

    return job


def with_data(event: dict[str, Any], what: str, value: str, reason: str) -> Poison:
    body = json.dumps(event | {"data": event["data"] | {what: value}}).encode()
    return Poison(f"{what} {value!r}", body, f"malformed: {what}: {reason}")


@pytest.mark.usefixtures("worker")
async def test_poison_is_dead_with_a_reason_and_the_export_behind_it_is_sent_once(
    requested: Any, mail_server: Any, queues: Any, dead_letters: Any, connection: Any
) -> None:
    event, good = await requested(), await requested()
    found = [
        *poisons(event),
        *(with_data(event, what, "nul \0", "must not contain a NUL") for what in ("jobId", "playlistId")),
        *(with_data(event, "targetEmail", value, "") for value in ("nobody", "", "a@b@c", "nul \0", HEADER_INJECTION)),
    ]
    table = {poison.what: poison for poison in found}

    await dead_letters.put(QUEUE, {what: poison.body for what, poison in table.items()})
    for _ in range(100):
        await queues.put(good)
    await eventually(lambda: mail_server.mails)

    reasons = await dead_letters.reasons(QUEUE, table.keys())
    misleading = {what: reason for what, reason in reasons.items() if not re.match(table[what].reason, reason)}
    assert misleading == {}

    async def settled() -> bool:
        return bool(await queues.on_their_way() == 0)

    await eventually(settled)
    assert mail_server.ids() == [f"<{good['data']['jobId']}@openmusic.example>"]
    cursor = await connection.execute("SELECT status, attempts FROM export_jobs ORDER BY id")
    assert await cursor.fetchall() == [{"status": "pending", "attempts": 0}, {"status": "sent", "attempts": 1}]


@pytest.mark.usefixtures("worker")
async def test_an_export_from_the_future_or_out_of_order_is_sent(requested: Any, mail_server: Any, queues: Any) -> None:
    for changes in ({"time": "9999-12-31T23:59:59Z"}, {"sequence": 2**63 - 1}, {"sequence": 5}):
        await queues.put(await requested() | changes)

    await eventually(lambda: len(set(mail_server.ids())) == 3)
    assert await queues.depth("export.jobs.dead") == 0
