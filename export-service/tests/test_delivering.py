"""The worker: one mail for a job, whatever happens on the way."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from openmusic_export.events import ExportRequested
from openmusic_export.exports.errors import ExportInDoubt, ExportSettled
from openmusic_kit.ids import new_id
from openmusic_kit.messaging.events import Envelope
from openmusic_testkit.serving import client_of
from openmusic_testkit.waiting import eventually


def status_is(jobs: Any, playlist_id: str, *wanted: str) -> Any:
    async def check() -> Any:
        job = await jobs.of(playlist_id)
        return job if job["status"] in wanted else None

    return check


def attempted(jobs: Any, playlist_id: str) -> Any:
    async def check() -> Any:
        job = await jobs.of(playlist_id)
        return job if job["attempts"] else None

    return check


def copied(jobs: Any, playlist_id: str) -> Any:
    """A mail may have arrived, and no worker holds the job."""

    async def check() -> Any:
        job = await jobs.of(playlist_id)
        return job if job["copies"] else None

    return check


def settled(queues: Any) -> Any:
    """Nothing waits in the queue, nor for another attempt."""

    async def check() -> bool:
        return await queues.on_their_way() == 0

    return check


def message_of(job: Any) -> dict[str, Any]:
    data = ExportRequested(job_id=job["id"], playlist_id=job["playlist_id"], target_email=job["target_email"])
    message: dict[str, Any] = Envelope.of(data, job["id"], 1).model_dump(by_alias=True, mode="json")
    return message


@pytest.mark.usefixtures("worker")
async def test_the_mail_goes_to_the_address_with_the_playlist_of_that_moment(
    export: Any, neighbours: Any, mail_server: Any, jobs: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")

    await export(playlist_id, "listener@mail.test")

    job = await eventually(status_is(jobs, playlist_id, "sent"))
    assert (job["attempts"], job["reason"]) == (1, None)
    assert job["settled_at"] >= job["created_at"]
    (mail,) = mail_server.mails
    assert mail["To"] == "listener@mail.test"
    assert mail["Message-ID"] == f"<{job['id']}@openmusic.example>"
    (attachment,) = mail.iter_attachments()
    assert json.loads(attachment.get_content()) == {"playlist": neighbours.playlists[playlist_id]}


@pytest.mark.usefixtures("worker")
async def test_the_same_message_many_times_sends_one_mail(
    export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.delay = 0.2
    await export(playlist_id)
    message = message_of(await jobs.of(playlist_id))
    for _ in range(5):
        await queues.put(message)

    await eventually(status_is(jobs, playlist_id, "sent"))
    await queues.put(message)
    await eventually(settled(queues))

    assert len(mail_server.mails) == 1


async def test_two_workers_with_the_same_job_send_one_mail(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.delay = 0.5
    await export(playlist_id)
    await eventually(lambda: queues.depth("export.jobs"))
    message = message_of(await jobs.of(playlist_id))
    for _ in range(7):
        await queues.put(message)

    async with run_worker(export_concurrency=2), run_worker(export_concurrency=2):
        await eventually(status_is(jobs, playlist_id, "sent"))
        await eventually(settled(queues))

    assert len(mail_server.mails) == 1
    assert await queues.depth("export.jobs.dead") == 0


async def test_an_export_waits_for_a_mail_server_that_is_down(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    other = type(mail_server)()
    async with other.listening():
        port = other.port  # free once it is closed
    async with run_worker(smtp_port=port):
        await export(playlist_id)

        job = await eventually(attempted(jobs, playlist_id))
        assert job["status"] == "pending"
        assert job["reason"]
        async with other.listening(port):
            job = await eventually(status_is(jobs, playlist_id, "sent"))

    assert job["attempts"] >= 2
    assert len(other.mails) == 1


@pytest.mark.parametrize(
    ("step", "reply"),
    [
        ("RCPT", "450 greylisted"),
        ("DATA", "452 out of storage"),
        ("MAIL", "451 4.1.8 we cannot look up this sender"),
        ("RCPT", "530 log in first"),
        ("RCPT", "550 4.7.1 greylisted"),
    ],
)
@pytest.mark.usefixtures("worker")
async def test_what_the_mail_server_or_its_keeper_can_mend_is_tried_again(
    export: Any, neighbours: Any, mail_server: Any, jobs: Any, step: str, reply: str
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.replies[step] = reply
    await export(playlist_id)

    async def refused() -> Any:
        job = await jobs.of(playlist_id)
        return job if reply[4:] in (job["reason"] or "") else None

    job = await eventually(refused)
    assert (job["status"], job["copies"], mail_server.mails) == ("pending", 0, [])

    mail_server.replies.clear()
    await eventually(status_is(jobs, playlist_id, "sent"))
    assert len(mail_server.mails) == 1


@pytest.mark.parametrize(
    ("step", "reply"),
    [
        ("MAIL", "550 5.1.8 we do not know this sender"),
        ("RCPT", "550 no such person"),
        ("DATA", "554 looks like spam"),
    ],
)
@pytest.mark.usefixtures("worker")
async def test_what_is_refused_for_good_is_dead_until_somebody_sends_it_back(
    export: Any,
    neighbours: Any,
    mail_server: Any,
    jobs: Any,
    queues: Any,
    step: str,
    reply: str,
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.replies[step] = reply
    await export(playlist_id)

    dead = await eventually(lambda: queues.take("export.jobs.dead"))
    job = await eventually(status_is(jobs, playlist_id, "failed"))
    assert reply[4:] in str(dead.headers["x-reason"])
    assert reply[4:] in job["reason"]
    assert json.loads(dead.body)["data"]["jobId"] == job["id"]

    mail_server.replies.clear()
    await queues.put(json.loads(dead.body))
    job = await eventually(status_is(jobs, playlist_id, "sent"))
    assert (job["attempts"], job["reason"]) == (2, None)
    assert len(mail_server.mails) == 1


@pytest.mark.usefixtures("worker")
async def test_an_operator_has_an_export_tried_again_that_failed(
    export: Any, neighbours: Any, mail_server: Any, jobs: Any, operate: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.replies["RCPT"] = "550 no such mailbox"
    await export(playlist_id)
    job = await eventually(status_is(jobs, playlist_id, "failed"))
    listed = await operate("list", "--status", "failed")
    mail_server.replies.clear()

    done = await operate("retry", job["id"])

    assert (done.exit_code, done.output) == (0, f"{job['id']} is tried within seconds\n")
    assert "no such mailbox" in listed.output
    job = await eventually(status_is(jobs, playlist_id, "sent"))
    assert (job["attempts"], job["reason"]) == (2, None)
    assert len(mail_server.mails) == 1
    assert isinstance((await operate("retry", job["id"])).exception, ExportSettled)


@pytest.mark.usefixtures("worker")
async def test_an_export_in_doubt_is_tried_again_only_when_the_operator_says_so(
    export: Any, neighbours: Any, mail_server: Any, jobs: Any, operate: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.cuts = lambda taken: taken == 0
    await export(playlist_id)
    job = await eventually(copied(jobs, playlist_id))

    refused = await operate("retry", job["id"])
    done = await operate("retry", job["id"], "--in-doubt")

    assert isinstance(refused.exception, ExportInDoubt)
    assert done.exit_code == 0
    await eventually(status_is(jobs, playlist_id, "sent"))
    assert len(mail_server.mails) == 2


async def test_an_export_that_fails_for_too_long_is_dead_with_its_reason(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, queues: Any
) -> None:
    mail_server.replies["RCPT"] = "450 greylisted"
    async with run_worker(export_retry_for=0):
        await export(neighbours.add_playlist("user-a"))
        dead = await eventually(lambda: queues.take("export.jobs.dead"))
    assert "greylisted" in str(dead.headers["x-reason"])


async def test_the_export_of_a_deleted_playlist_is_cancelled(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    del neighbours.playlists[playlist_id]

    async with run_worker():
        job = await eventually(status_is(jobs, playlist_id, "cancelled"))
        await eventually(settled(queues))

    assert "deleted" in job["reason"]
    assert mail_server.mails == []
    assert await queues.depth("export.jobs.dead") == 0


@pytest.mark.parametrize("trouble", ["down", "garbled"])
async def test_an_export_waits_for_the_playlist_service(
    run_worker: Any,
    export: Any,
    neighbours: Any,
    mail_server: Any,
    jobs: Any,
    queues: Any,
    trouble: str,
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    await eventually(lambda: queues.depth("export.jobs"))
    getattr(neighbours, trouble).add("playlists")
    async with run_worker():
        job = await eventually(attempted(jobs, playlist_id))
        assert (job["status"], mail_server.mails) == ("pending", [])
        getattr(neighbours, trouble).clear()
        await eventually(status_is(jobs, playlist_id, "sent"))

    assert len(mail_server.mails) == 1


@pytest.mark.usefixtures("worker")
async def test_a_message_of_an_unknown_job_is_dead(mail_server: Any, queues: Any) -> None:
    job = {"id": new_id("export"), "playlist_id": new_id("playlist"), "target_email": "a@mail.test"}
    await queues.put(message_of(job))

    dead = await eventually(lambda: queues.take("export.jobs.dead"))

    assert dead.headers["x-reason"] in {"unknown job", b"unknown job"}
    assert mail_server.mails == []


async def test_a_worker_uses_its_connections_again(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    for _ in range(40):
        await export(playlist_id)
    await eventually(lambda: queues.depth("export.jobs"))

    async with run_worker(export_concurrency=4):
        await eventually(lambda: len(set(mail_server.ids())) == 40)

    assert len(mail_server.mails) == 40
    assert mail_server.connections <= 4


async def test_a_worker_that_is_told_to_stop_finishes_the_mail_in_hand(
    run_worker: Any, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.delay = 0.5
    async with run_worker():
        await export(playlist_id)
        await eventually(lambda: mail_server.connections)

    assert (await jobs.of(playlist_id))["status"] == "sent"
    assert await queues.on_their_way() == 0


async def test_a_worker_answers_health_checks_and_nothing_else(worker: FastAPI) -> None:
    async with client_of(worker) as client:

        async def ready() -> bool:
            return (await client.get("/health/ready")).status_code == 200

        await eventually(ready)
        answer = await client.get("/health/ready")
        assert answer.json()["data"]["dependencies"] == {"postgresql": "up", "rabbitmq": "up", "smtp": "up"}
        assert (await client.post(f"/export/playlists/{new_id('playlist')}")).status_code == 404
