"""Announces due jobs: those to be tried again, and those whose message was lost."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pydantic import ValidationError

from openmusic_export.events import ExportRequested
from openmusic_export.exports.repository import DueJob, JobRepository
from openmusic_kit import tasks
from openmusic_kit.database.database import Database
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.topology import Queue
from openmusic_kit.web.schemas import describe

logger = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between two polls
ANNOUNCE_AGAIN_AFTER = 30.0  # seconds until a message that no worker took counts as lost; half of what is promised
STOP_TIMEOUT = 5.0  # seconds that a poll in progress gets to end
MAX_QUEUED = 100
"""Messages in the queue from which on none are added, and jobs announced in one poll. The others wait in the database;
otherwise each poll would add to a queue that drains slowly."""


class Announcer:
    """Each worker runs one; they share the due jobs."""

    def __init__(self, database: Database, broker: Broker, queue: Queue) -> None:
        self._database = database
        self._broker = broker
        self._queue = queue
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        polling = asyncio.create_task(self._poll_forever(), name="announcer")
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.wait([polling], timeout=STOP_TIMEOUT)  # cancelling it would close a shared channel
            await tasks.stop(polling)

    async def _poll_forever(self) -> None:
        failing = False
        while not self._stopping.is_set():
            try:
                if self._broker.connected:
                    await self._poll()
                failing = False
            except Exception as error:  # whatever it is, the jobs are there at the next poll
                if not failing:
                    logger.warning("due exports not announced", extra={"error": repr(error)})
                failing = True
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._stopping.wait()

    async def _poll(self) -> None:
        if await self._broker.waiting(self._queue) >= MAX_QUEUED:
            return
        async with self._database.unit_of_work() as work:
            repository = JobRepository(work.connection)
            jobs = await repository.claim_due(MAX_QUEUED, ANNOUNCE_AGAIN_AFTER, self._queue.retry.give_up_after)
            await work.commit()
        for announced, job in enumerate(jobs):
            try:
                await self._announce(job)
            except BaseException:
                await self._release(jobs[announced:])
                raise

    async def _announce(self, job: DueJob) -> None:
        """Skips a malformed job, so that it blocks no other."""
        try:
            event = ExportRequested(job_id=job.id, playlist_id=job.playlist_id, target_email=job.target_email)
        except ValidationError as error:
            logger.error("malformed export not announced", extra={"job": job.id, "reason": describe(error)})
            return
        envelope = Envelope.of(event, job.id, job.attempts + 1)
        body = envelope.model_dump_json(by_alias=True).encode()
        await self._broker.publish(body, routing_key=envelope.routing_key, message_id=envelope.id)

    async def _release(self, jobs: list[DueJob]) -> None:
        """Otherwise they would wait for ANNOUNCE_AGAIN_AFTER."""
        async with self._database.autocommit() as connection:
            await JobRepository(connection).release([job.id for job in jobs])
