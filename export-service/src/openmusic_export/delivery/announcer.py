"""Tells of jobs that are due: to be tried again, or because the message that told of them cannot be on its way."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg.rows import DictRow
from pydantic import ValidationError

from openmusic_export.events import ExportRequested
from openmusic_export.exports.repository import JobRepository
from openmusic_kit import tasks
from openmusic_kit.database.database import Database
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.topology import Queue
from openmusic_kit.web.schemas import describe

logger = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between two looks
AGAIN_AFTER = 30.0  # seconds after which a message that nobody took is taken for lost; half of what is promised
STOP_TIMEOUT = 5.0  # seconds that the look under way gets
LIMIT = 100
"""Messages in the queue with which no more are added, and jobs announced at once. While many wait, those that are due
wait in the database: otherwise a queue that is worked off slowly would grow with each look."""


class Announcer:
    """Any number of them share the work."""

    def __init__(self, database: Database, broker: Broker, queue: Queue) -> None:
        self._database = database
        self._broker = broker
        self._queue = queue
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        announcing = asyncio.create_task(self._announce_for_ever(), name="announcer")
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.wait([announcing], timeout=STOP_TIMEOUT)  # cancelled, it would close a channel of others
            await tasks.stop(announcing)

    async def _announce_for_ever(self) -> None:
        failing = False
        while not self._stopping.is_set():
            try:
                if self._broker.connected:
                    await self._announce()
                failing = False
            except Exception as error:  # whatever it is, the jobs are there at the next look
                if not failing:
                    logger.warning("exports cannot be announced", extra={"error": repr(error)})
                failing = True
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._stopping.wait()

    async def _announce(self) -> None:
        if await self._broker.waiting(self._queue) >= LIMIT:
            return
        async with self._database.unit_of_work() as work:
            jobs = await JobRepository(work.connection).announce(LIMIT, AGAIN_AFTER, self._queue.retry.give_up_after)
            await work.commit()
        for told, job in enumerate(jobs):
            try:
                await self._tell(job)
            except BaseException:
                await self._take_back(jobs[told:])
                raise

    async def _tell(self, job: DictRow) -> None:
        """Passes over a job that is not as it should be; it is in no other's way."""
        try:
            event = ExportRequested(job_id=job["id"], playlist_id=job["playlist_id"], target_email=job["target_email"])
        except ValidationError as error:
            logger.error("export cannot be announced", extra={"job": job["id"], "reason": describe(error)})
            return
        envelope = Envelope.of(event, job["id"], job["attempts"] + 1)
        body = envelope.model_dump_json(by_alias=True).encode()
        await self._broker.publish(body, routing_key=envelope.routing_key, message_id=envelope.id)

    async def _take_back(self, jobs: list[DictRow]) -> None:
        """So that they are announced at the next look, and not half a minute later."""
        async with self._database.autocommit() as connection:
            await JobRepository(connection).take_back([job["id"] for job in jobs])
