"""Finished jobs are kept while their messages may come again, and then go a few at a time."""

from typing import Any

import pytest

from openmusic_export.exports.repository import Attempt, JobRepository
from openmusic_export.settings import WorkerSettings
from openmusic_kit.messaging.topology import DEAD_LETTER_LIFE
from openmusic_testkit.waiting import eventually

KEPT = WorkerSettings().keep_jobs_for
HOUR = 3600


@pytest.fixture
async def repository(connection: Any) -> JobRepository:
    await connection.execute("TRUNCATE export_jobs")
    return JobRepository(connection)


@pytest.fixture
def add(connection: Any) -> Any:
    async def add(job_id: str, status: str, settled: float | None, created: float = 10 * KEPT) -> None:
        """Ages in seconds."""
        await connection.execute(
            """
            INSERT INTO export_jobs (id, playlist_id, target_email, requested_by, status, created_at, settled_at)
            VALUES (%s, 'p', 'a@mail.test', 'u', %s, now() - make_interval(secs => %s),
                    now() - make_interval(secs => %s))
            """,
            [job_id, status, created, settled],
        )

    return add


def attempt(job_id: str) -> Attempt:
    return Attempt(job_id, "an-event", 1, copies=0, failing_for=0)


async def ids(connection: Any) -> set[str]:
    return {row["id"] for row in await (await connection.execute("SELECT id FROM export_jobs")).fetchall()}


async def test_jobs_that_were_settled_long_ago_go_with_the_next_and_all_others_stay(
    repository: JobRepository, connection: Any, add: Any
) -> None:
    for status in ("sent", "failed", "cancelled"):
        await add(f"old-{status}", status, KEPT + HOUR)
        await add(f"young-{status}", status, KEPT - HOUR)
    await add("running", "pending", None)
    await add("now", "pending", None, created=1)

    await repository.settle(attempt("now"), "sent", None, None, KEPT)

    assert await ids(connection) == {"young-sent", "young-failed", "young-cancelled", "running", "now"}


async def test_they_go_a_few_at_a_time_the_oldest_first(repository: JobRepository, connection: Any, add: Any) -> None:
    for number in range(12):
        await add(f"old-{number}", "sent", KEPT + HOUR + number)
    await add("now", "pending", None)

    await repository.settle(attempt("now"), "sent", None, None, KEPT)

    assert await ids(connection) == {"old-0", "old-1", "now"}


async def test_an_old_job_that_was_sent_back_from_the_dead_letters_is_settled_again(
    repository: JobRepository, connection: Any, add: Any
) -> None:
    await add("again", "failed", KEPT + HOUR)

    await repository.settle(attempt("again"), "sent", None, None, KEPT)

    job = await (await connection.execute("SELECT status, attempts FROM export_jobs")).fetchone()
    assert job == {"status": "sent", "attempts": 1}


async def test_an_old_job_that_another_worker_has_in_hand_stays_and_is_not_waited_for(
    repository: JobRepository, connection: Any, add: Any, surroundings: dict[str, Any]
) -> None:
    await add("in-hand", "failed", KEPT + HOUR)
    await add("now", "pending", None)
    async with await type(connection).connect(connection.info.dsn, password=surroundings["pgpassword"]) as other:
        await JobRepository(other).lock("in-hand")
        await repository.settle(attempt("now"), "sent", None, None, KEPT)
        assert await ids(connection) == {"in-hand", "now"}


@pytest.mark.parametrize("retry_for", [0, 259_200, 10_000_000])
def test_a_job_is_kept_longer_than_its_message_may_come_again(retry_for: float) -> None:
    settings = WorkerSettings(export_retry_for=retry_for)
    assert settings.keep_jobs_for == retry_for + DEAD_LETTER_LIFE


async def test_the_worker_keeps_jobs_as_long_as_its_settings_say(
    run_worker: Any, export: Any, neighbours: Any, connection: Any, jobs: Any, add: Any
) -> None:
    await add("old", "sent", DEAD_LETTER_LIFE + 1000 + HOUR)
    await add("young", "sent", DEAD_LETTER_LIFE + 1000 - HOUR)
    playlist_id = neighbours.add_playlist("user-a")
    async with run_worker(export_retry_for=1000):
        await export(playlist_id)

        async def sent() -> bool:
            return bool((await jobs.of(playlist_id))["status"] == "sent")

        await eventually(sent)
    assert await ids(connection) >= {"young"}
    assert "old" not in await ids(connection)
