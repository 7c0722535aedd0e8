"""A worker as a process of its own, killed in the middle of its work."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

JOBS = 50
CONCURRENCY = 5

StartWorker = Callable[[], AbstractAsyncContextManager[asyncio.subprocess.Process]]


@pytest.fixture
def start_worker(surroundings: dict[str, Any], neighbours: Any, mail_server: Any, tmp_path: Path) -> StartWorker:
    settings = {
        **surroundings,
        "playlist_url": neighbours.url,
        "smtp_port": mail_server.port,
        "port": 0,
        "export_concurrency": CONCURRENCY,
    }
    environment = {"PATH": os.environ["PATH"], **{name.upper(): str(value) for name, value in settings.items()}}

    @asynccontextmanager
    async def start() -> AsyncIterator[asyncio.subprocess.Process]:
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
    start_worker: StartWorker, export: Any, neighbours: Any, mail_server: Any, jobs: Any, queues: Any, eventually: Any
) -> None:
    playlists = [neighbours.add_playlist("user-a") for _ in range(JOBS)]
    for playlist_id in playlists:
        await export(playlist_id)
    await eventually(lambda: queues.depth("export.jobs"))
    mail_server.delay = 0.05

    async with start_worker() as worker:
        await eventually(lambda: len(mail_server.mails) >= 7)
        worker.kill()
        await worker.wait()
        assert len(set(mail_server.ids())) < JOBS, "it was killed too late to show anything"
    async with start_worker() as worker:
        await eventually(lambda: len(set(mail_server.ids())) == JOBS, 40)
        await eventually(lambda: all_sent(jobs, playlists))
        worker.terminate()
        assert await worker.wait() in {0, -15}

    assert len(mail_server.mails) <= JOBS + CONCURRENCY, "only what was in hand at that moment may come twice"
    assert await queues.depth("export.jobs.dead") == 0


async def all_sent(jobs: Any, playlists: list[str]) -> bool:
    return {(await jobs.of(playlist_id))["status"] for playlist_id in playlists} == {"sent"}
