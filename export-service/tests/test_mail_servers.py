"""Hours and days with mail servers of every kind: how many mails an export costs, and that none is forgotten.

Between two attempts the clock jumps; what the worker waits for within one is shortened.
"""

import asyncio
import json
from typing import Any

import pytest

from openmusic_export.delivery import announcer
from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

HOUR, DAY = 3600, 86_400
HASTY = {"smtp_timeout": 0.15, "smtp_reply_timeout": 0.3}
"""Seconds; as much shorter than the usual ones as the servers here are faster than slow ones."""


@pytest.fixture
def days_with(run_worker: Any, jobs: Any, queues: Any, mail_server: Any, clock: Any) -> Any:
    async def live(playlists: list[str], seconds: float, **settings: Any) -> list[float]:
        """When each mail came, in seconds from now; until then, or until nothing is left to be tried."""
        times: list[float] = []
        began = clock.now
        taken = mail_server.cuts

        def note(number: int) -> bool:
            times.append(clock.now - began)
            return bool(taken(number))

        mail_server.cuts = note

        async def at_rest() -> bool:
            """All jobs that were due have been tried, and nobody waits for an answer."""
            if await queues.on_their_way() or any(task.get_name() == "consuming" for task in asyncio.all_tasks()):
                return False
            found = [await jobs.of(playlist_id) for playlist_id in playlists]
            return all(job["status"] != "pending" or job["waits"] for job in found)

        async with run_worker(**{**HASTY, **settings}):
            await eventually(at_rest)
            while clock.now - began < seconds and await clock.to_the_next_attempt():
                await eventually(at_rest)
        return times

    return live


async def test_a_server_that_takes_twenty_seconds_to_answer_gets_one_mail(
    days_with: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any
) -> None:
    """In hundredths of a second."""
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    mail_server.late = 0.2

    times = await days_with([playlist_id], 3 * DAY, smtp_timeout=0.15, smtp_reply_timeout=6.0)

    assert times == [0]
    assert (await jobs.of(playlist_id))["status"] == "sent"


async def test_a_server_that_never_answers_gets_three_mails_in_three_days_an_hour_apart(
    days_with: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    mail_server.late = 30

    times = await days_with([playlist_id], 3 * DAY)

    assert times == pytest.approx([0, HOUR, 2 * HOUR], abs=30)
    assert len(set(mail_server.ids())) == 1, "receivers can tell that it is the same mail"
    job = await jobs.of(playlist_id)
    assert (job["status"], job["copies"]) == ("failed", 3)
    dead = await queues.take("export.jobs.dead")
    assert "said nothing" in dead.headers["x-reason"]
    assert "(sent 3 times)" in dead.headers["x-reason"]
    assert await queues.depth("export.jobs.dead") == 0


@pytest.mark.parametrize("copies", [1, 2])
async def test_an_operator_may_want_fewer_copies(
    days_with: Any, export: Any, neighbours: Any, mail_server: Any, copies: int
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    mail_server.cuts = lambda _: True

    times = await days_with([playlist_id], DAY, export_copies=copies, export_repeat_after=2 * HOUR)

    assert times == pytest.approx([0, 2 * HOUR][:copies], abs=30)


async def test_a_server_that_hangs_up_on_every_other_mail_gets_no_mail_again_at_once(
    days_with: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any
) -> None:
    playlists = [neighbours.add_playlist("user-a") for _ in range(8)]
    for playlist_id in playlists:
        await export(playlist_id)
    mail_server.cuts = lambda number: number % 2 == 0

    times = await days_with(playlists, DAY)

    found = [await jobs.of(playlist_id) for playlist_id in playlists]
    assert sorted(job["status"] for job in found) == ["failed", *["sent"] * 7]
    counts = [sum(job["id"] in each for each in mail_server.ids()) for job in found]
    assert sorted(counts) == [1, 1, 1, 1, 2, 2, 3, 3], "half of those that are left, again, and nothing a fourth time"
    assert sum(time < HOUR - 60 for time in times) == 8


async def test_a_greylisting_server_is_asked_for_three_days_and_gets_one_mail_or_none(
    days_with: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any, clock: Any
) -> None:
    patient, lost = neighbours.add_playlist("user-a"), neighbours.add_playlist("user-a")
    await export(patient)
    mail_server.replies["RCPT"] = "450 4.7.1 greylisted, come back later"

    assert await days_with([patient], HOUR) == []
    job = await jobs.of(patient)
    assert job["status"] == "pending"
    assert 60 <= job["attempts"] <= 66, "after 1, 2, 5, 15 and 30 seconds, and once a minute"
    mail_server.replies.clear()
    assert len(await days_with([patient], HOUR)) == 1

    mail_server.replies["RCPT"] = "450 4.7.1 greylisted, come back later"
    await export(lost)
    assert await days_with([lost], 60) == []
    await clock.advance(3 * DAY - 120)
    assert await days_with([lost], 0) == []
    assert (await jobs.of(lost))["status"] == "pending"
    assert await days_with([lost], HOUR) == []
    assert (await jobs.of(lost))["status"] == "failed"
    assert "greylisted" in (await queues.take("export.jobs.dead")).headers["x-reason"]
    assert len(mail_server.mails) == 1


async def test_a_server_that_says_it_will_never_take_a_mail_is_asked_once_in_three_days(
    days_with: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any, clock: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    mail_server.replies["MAIL"] = "550 5.1.8 domain of sender address does not exist"

    assert await days_with([playlist_id], 3 * DAY) == []
    await clock.advance(3 * DAY)
    assert await days_with([playlist_id], DAY) == []

    job = await jobs.of(playlist_id)
    assert (job["status"], job["attempts"]) == ("failed", 1), "a dead letter is not announced again"
    dead = await queues.take("export.jobs.dead")
    assert dead.headers["x-reason"] == "to MAIL, the mail server said 550 5.1.8 domain of sender address does not exist"


async def test_a_mail_that_is_waited_for_is_in_no_other_mails_way(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any
) -> None:
    slow, quick = neighbours.add_playlist("user-a"), neighbours.add_playlist("user-a")
    mail_server.late, mail_server.slow_to = 30, "slow@mail.test"
    async with run_worker(export_concurrency=1, smtp_timeout=0.2, shutdown_grace=0.1):
        await export(slow, "slow@mail.test")
        await eventually(lambda: mail_server.busy)
        await export(quick)
        await eventually(lambda: len(mail_server.mails) == 2)
        assert (await jobs.of(slow))["status"] == "pending"
        assert mail_server.busy
        mail_server.hurry.set()
        await eventually(lambda: not mail_server.busy)


async def test_a_mail_that_was_taken_is_known_although_the_database_was_away(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, connection: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.late = 0.5
    async with run_worker(pg_statement_timeout=0.3):
        await export(playlist_id)
        await eventually(lambda: mail_server.mails)
        async with connection.transaction():
            await connection.execute("LOCK TABLE export_jobs IN ACCESS EXCLUSIVE MODE")
            await eventually(lambda: not mail_server.busy)
            await connection.execute("SELECT pg_sleep(0.5)")

        async def sent() -> bool:
            return bool((await jobs.of(playlist_id))["status"] == "sent")

        await eventually(sent)
    assert len(mail_server.mails) == 1


async def test_what_rabbitmq_lost_is_mailed_once_within_a_minute(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any, clock: Any
) -> None:
    assert announcer.ANNOUNCE_AGAIN_AFTER + announcer.INTERVAL + announcer.ANNOUNCE_AGAIN_AFTER / 2 < 60
    playlists = [neighbours.add_playlist("user-a") for _ in range(20)]
    for playlist_id in playlists:
        await export(playlist_id)
    await eventually(lambda: queues.depth("export.jobs"))

    async def all_announced() -> bool:
        return bool(await jobs.unannounced() == 0)

    await eventually(all_announced)
    await queues.lose_everything()
    await clock.advance(announcer.ANNOUNCE_AGAIN_AFTER)

    async with run_worker(), run_worker():
        await eventually(lambda: len(mail_server.mails) >= 20)

        async def all_sent() -> bool:
            return {(await jobs.of(each))["status"] for each in playlists} == {"sent"}

        await eventually(all_sent)
        await clock.advance(HOUR)
        await eventually(queues.empty)
    assert len(mail_server.mails) == len(set(mail_server.ids())) == 20
    assert await queues.depth("export.jobs.dead") == 0


async def test_a_queue_that_is_lost_under_a_worker_costs_a_job_that_waits_nothing(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any, clock: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.replies["RCPT"] = "450 4.7.1 greylisted"
    async with run_worker():
        await export(playlist_id)

        async def tried() -> bool:
            return bool((await jobs.of(playlist_id))["attempts"] >= 2)

        await eventually(tried)
        await queues.lose_everything()
        mail_server.replies.clear()
        await clock.advance(announcer.ANNOUNCE_AGAIN_AFTER)
        await eventually(lambda: mail_server.mails, 20)
        await eventually(queues.empty)
    assert len(mail_server.mails) == 1


async def test_a_long_queue_does_not_grow_because_it_is_long(
    run_worker: Any, neighbours: Any, queues: Any, clock: Any, connection: Any, mail_server: Any
) -> None:
    """A worker that sends one mail at a time, and waits for the playlist service with it."""
    neighbours.slow = 0.2
    playlist_id = neighbours.add_playlist("user-a")
    await connection.execute(
        """
        INSERT INTO export_jobs (id, playlist_id, target_email, requested_by, announced_at)
        SELECT 'job-' || number, %s, 'listener@mail.test', 'user-a', now() - interval '1 hour'
        FROM generate_series(1, 300) AS number
        """,
        [playlist_id],
    )
    longest = 0
    async with run_worker(export_concurrency=1):
        await eventually(lambda: mail_server.mails)
        for _ in range(10):
            await clock.advance(announcer.ANNOUNCE_AGAIN_AFTER)
            longest = max(longest, await queues.depth("export.jobs"))
    assert 0 < longest < 2 * announcer.MAX_QUEUED


async def test_a_second_message_of_a_dead_job_is_no_wish_to_try_it_again(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.replies["RCPT"] = "550 5.1.1 nobody"
    await export(playlist_id)
    async with run_worker():
        await eventually(lambda: queues.depth("export.jobs.dead"))
        dead = json.loads((await queues.take("export.jobs.dead")).body)
        await queues.put({**dead, "id": new_id("event")})
        await eventually(queues.empty)
        assert (await jobs.of(playlist_id))["attempts"] == 1
    assert await queues.depth("export.jobs.dead") == 0

    await queues.put(dead)
    await queues.give_back("export.jobs")
    async with run_worker():
        again = await eventually(lambda: queues.take("export.jobs.dead"))
        assert "nobody" in again.headers["x-reason"], "it did not get there before the worker died"
        assert (await jobs.of(playlist_id))["attempts"] == 1


async def test_a_job_that_cannot_be_announced_is_in_no_others_way(
    run_worker: Any, neighbours: Any, connection: Any, mail_server: Any, queues: Any, clock: Any
) -> None:
    assert await queues.empty()
    for number, address in enumerate(["no address", "listener@mail.test"]):
        await connection.execute(
            "INSERT INTO export_jobs (id, playlist_id, target_email, requested_by) VALUES (%s, %s, %s, 'user-a')",
            [f"job-{number}", neighbours.add_playlist("user-a"), address],
        )
        await clock.advance(HOUR)
    async with run_worker():
        await eventually(lambda: mail_server.mails)


async def test_what_an_older_version_gave_up_stays_among_the_dead_letters(
    run_worker: Any, neighbours: Any, connection: Any, mail_server: Any, queues: Any, clock: Any
) -> None:
    """It left the job pending, and knew nothing of the columns that came later."""
    assert await queues.empty()
    for name, attempts in (("given-up", 100), ("lost", 0)):
        await connection.execute(
            """
            INSERT INTO export_jobs (id, playlist_id, target_email, requested_by, attempts)
            VALUES (%s, %s, 'listener@mail.test', 'user-a', %s)
            """,
            [name, neighbours.add_playlist("user-a"), attempts],
        )
    await clock.advance(3 * DAY)
    async with run_worker():
        await eventually(lambda: mail_server.mails)
        await eventually(queues.empty)
    assert mail_server.ids() == ["<lost@openmusic.example>"]
