"""A worker as a process of its own, killed in the middle of its work."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from openmusic_testkit.waiting import eventually

JOBS = 50
CONCURRENCY = 5

StartWorker = Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]


@pytest.fixture
def start_worker(surroundings: dict[str, Any], neighbours: Any, mail_server: Any, tmp_path: Path) -> StartWorker:
    usual = {
        **surroundings,
        "playlist_url": neighbours.url,
        "smtp_port": mail_server.port,
        "port": 0,
        "export_concurrency": CONCURRENCY,
    }

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[asyncio.subprocess.Process]:
        around = {name.upper(): str(value) for name, value in {**usual, **settings}.items()}
        environment = {"PATH": os.environ["PATH"], **around}
        with (tmp_path / "worker.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "openmusic_export", "worker"),
                env=environment,
                cwd=tmp_path,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 20)

    return start


async def test_no_export_is_lost_when_the_worker_is_killed(
    start_worker: StartWorker, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any
) -> None:
    playlists = [neighbours.add_playlist("user-a") for _ in range(JOBS)]
    for playlist_id in playlists:
        await export(playlist_id)
    await eventually(lambda: queues.depth("export.jobs"))
    mail_server.delay = 0.05
    soon = {"smtp_reply_timeout": 1, "export_repeat_after": 2}

    async with start_worker(**soon) as worker:
        await eventually(lambda: len(mail_server.mails) >= 7)
        worker.kill()
        await worker.wait()
        assert len(set(mail_server.ids())) < JOBS, "it was killed too late to show anything"
    async with start_worker(**soon) as worker:
        await eventually(lambda: len(set(mail_server.ids())) == JOBS, 40)
        await eventually(lambda: all_sent(jobs, playlists))
        worker.terminate()
        assert await worker.wait() in {0, -15}

    assert len(mail_server.mails) <= JOBS + CONCURRENCY, "only what was in hand at that moment may come twice"
    assert await queues.depth("export.jobs.dead") == 0


async def all_sent(jobs: Any, playlists: list[str]) -> bool:
    return {(await jobs.of(playlist_id))["status"] for playlist_id in playlists} == {"sent"}


async def test_a_worker_that_dies_while_it_waits_for_an_answer_sends_the_mail_again_after_an_hour_and_never_too_often(
    start_worker: StartWorker,
    export: Any,
    neighbours: Any,
    mail_server: Any,
    jobs: Any,
    queues: Any,
    clock: Any,
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    mail_server.late, mail_server.slow_to = 60, "slow@mail.test"
    await export(playlist_id, "slow@mail.test")
    async with start_worker(export_copies=2) as worker:
        await eventually(lambda: mails_to(mail_server, "slow@mail.test"), 20)
        worker.kill()
        await worker.wait()
    async with start_worker(export_copies=2) as worker:
        await export(neighbours.add_playlist("user-a"))
        await eventually(lambda: mails_to(mail_server, "listener@mail.test"), 20)
        await eventually(queues.empty)
        assert (await jobs.of(playlist_id))["status"] == "pending"
        assert len(mails_to(mail_server, "slow@mail.test")) == 1, "an hour is not over"
        await clock.advance(3600)
        await eventually(lambda: len(mails_to(mail_server, "slow@mail.test")) == 2, 20)
        worker.kill()
        await worker.wait()
    await clock.advance(3600)
    async with start_worker(export_copies=2):
        dead = await eventually(lambda: queues.take("export.jobs.dead"), 20)
    assert "in doubt" in dead.headers["x-reason"]
    assert len(mails_to(mail_server, "slow@mail.test")) == 2


def mails_to(mail_server: Any, address: str) -> list[Any]:
    return [mail for mail in mail_server.mails if mail["To"] == address]
