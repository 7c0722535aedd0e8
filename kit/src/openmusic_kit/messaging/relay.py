"""Publishes the outbox, at least once.

An event that no queue takes stays in the outbox, and does not block events of other kinds (ADR 0017).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aio_pika.exceptions import DeliveryError
from prometheus_client.core import GaugeMetricFamily, Metric
from psycopg.rows import DictRow

from openmusic_kit import tasks
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging.broker import Broker

logger = logging.getLogger(__name__)

BATCH = 200
POLL_INTERVAL = 1.0  # seconds between polls for events of a process that was killed
BACKOFF = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between attempts while the broker or the database is away
HOLD = 2.0  # seconds until events of an unroutable kind are tried again
STOP_TIMEOUT = 10.0  # seconds for the batch in flight to finish


class OutboxRelay:
    """Publishes the rows of the outbox. Any number of relays share the work: each locks the rows that it publishes."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._woken = database.events_stored
        self._stopping = asyncio.Event()
        self._held: dict[str, float] = {}
        """Routing keys that no queue takes, and the monotonic time until which they are skipped."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        publishing = asyncio.create_task(self._publish_forever(), name="outbox-relay")
        try:
            yield
        finally:
            self._stopping.set()
            self._woken.set()
            await asyncio.wait([publishing], timeout=STOP_TIMEOUT)
            await tasks.stop(publishing)

    async def metrics(self) -> list[Metric]:
        async with self._database.read() as connection:
            cursor = await connection.execute(
                """
                SELECT count(*) AS events, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float AS age
                FROM outbox
                """
            )
            row = await cursor.fetchone() or {}
        return [
            GaugeMetricFamily("openmusic_outbox_events", "Events that wait to be published", value=row["events"]),
            GaugeMetricFamily("openmusic_outbox_oldest_seconds", "Age of the oldest of them", value=row["age"]),
        ]

    async def _publish_forever(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                more = await self._publish_batch()
            except Exception as error:  # the rows stay for the next attempt
                if failures == 0:
                    logger.warning("outbox relay failed", extra={"error": repr(error)})
                await _wait(BACKOFF[min(failures, len(BACKOFF) - 1)], self._stopping)
                failures += 1
                continue
            if failures:
                logger.info("outbox relay recovered")
            failures = 0
            if not more and not self._stopping.is_set():
                await _wait(POLL_INTERVAL, self._woken)

    async def _publish_batch(self) -> bool:
        """Publishes a batch and returns whether there may be more. Deletes confirmed rows even if others failed."""
        if not self._broker.connected:
            raise Unavailable("The broker is not available")
        async with self._database.unit_of_work() as work:
            cursor = await work.connection.execute(
                """
                SELECT position, event_id, routing_key, body FROM outbox
                WHERE routing_key <> ALL(%(held)s)
                ORDER BY position LIMIT %(batch)s FOR UPDATE SKIP LOCKED
                """,
                {"batch": BATCH, "held": self._held_now()},
            )
            rows = await cursor.fetchall()
            if not rows:
                return False
            outcomes = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
            confirmed = [row["position"] for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
            await work.connection.execute(
                "DELETE FROM outbox WHERE position = ANY(%(confirmed)s)", {"confirmed": confirmed}
            )
            await work.commit()
        logger.debug("events published", extra={"confirmed": len(confirmed), "unconfirmed": len(rows) - len(confirmed)})
        for row, outcome in zip(rows, outcomes, strict=True):
            self._note(row["routing_key"], outcome)
        return len(rows) == BATCH

    def _held_now(self) -> list[str]:
        now = time.monotonic()
        return [routing_key for routing_key, until in self._held.items() if until > now]

    def _note(self, routing_key: str, outcome: BaseException | None) -> None:
        """Raises a failure that concerns more than events of this kind."""
        if outcome is None:
            if self._held.pop(routing_key, None) is not None:
                logger.info("events are routable again", extra={"routing_key": routing_key})
        elif isinstance(outcome, DeliveryError):
            if routing_key not in self._held:
                logger.warning("events are unroutable", extra={"routing_key": routing_key, "error": repr(outcome)})
            self._held[routing_key] = time.monotonic() + HOLD
        else:
            raise outcome

    async def _publish(self, row: DictRow) -> None:
        await self._broker.publish(row["body"], routing_key=row["routing_key"], message_id=row["event_id"])


async def _wait(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
