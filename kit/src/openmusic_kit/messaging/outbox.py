"""The transactional outbox: an event is stored with the change it tells of, and published afterwards, at least once.

A row goes away once the broker has confirmed it, so the table holds only what is still to be published. An event that
no queue takes stays, and the events of other kinds pass it (ADR 0017).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from aio_pika.exceptions import DeliveryError
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from openmusic_kit import tasks
from openmusic_kit.database.notifications import listen_for_ever
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging.events import Envelope, EventData

if TYPE_CHECKING:
    from openmusic_kit.database.database import Database
    from openmusic_kit.messaging.broker import Broker

logger = logging.getLogger(__name__)

CHANNEL = "outbox"
BATCH = 200
POLL_INTERVAL = 1.0  # seconds; finds what a lost notification did not tell of
BACKOFF = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between tries while the broker or the database is away
HOLD = 2.0  # seconds until events of a kind that no queue took are tried again
STOP_TIMEOUT = 10.0  # seconds that the batch in flight gets


async def append(connection: AsyncConnection[DictRow], event: EventData, aggregate_id: str, sequence: int) -> None:
    """Stores the event; relays are woken when the transaction commits."""
    envelope = Envelope.of(event, aggregate_id, sequence)
    await connection.execute(
        """
        WITH added AS (
            INSERT INTO outbox (event_id, routing_key, body) VALUES (%(id)s, %(routing_key)s, %(body)s) RETURNING 1
        )
        SELECT pg_notify(%(channel)s, '') FROM added
        """,
        {
            "id": envelope.id,
            "routing_key": envelope.routing_key,
            "body": envelope.model_dump_json(by_alias=True).encode(),
            "channel": CHANNEL,
        },
    )


class OutboxRelay:
    """Publishes what the outbox holds. Any number of relays share the work: who sends a row has it locked."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._held: dict[str, float] = {}
        """Routing keys that no queue took, and until when (monotonic) they are left out."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        publishing = asyncio.create_task(self._publish_for_ever(), name="outbox-relay")
        listening = asyncio.create_task(
            listen_for_ever(self._database.conninfo, CHANNEL, self._woken.set), name="outbox-listener"
        )
        try:
            yield
        finally:
            self._stopping.set()
            self._woken.set()
            await asyncio.wait([publishing], timeout=STOP_TIMEOUT)
            await tasks.stop(publishing, listening)

    async def _publish_for_ever(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                more = await self._publish_batch()
            except Exception as error:  # rows stay; whatever is wrong now may be right at the next try
                if failures == 0:
                    logger.warning("outbox is waiting", extra={"error": repr(error)})
                await _at_most(BACKOFF[min(failures, len(BACKOFF) - 1)], self._stopping)
                failures += 1
                continue
            if failures:
                logger.info("outbox is moving again")
            failures = 0
            if not more and not self._stopping.is_set():
                await _at_most(POLL_INTERVAL, self._woken)

    async def _publish_batch(self) -> bool:
        """Publishes up to a batch and returns whether there may be more. Confirmed rows go even if others failed."""
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
        for row, outcome in zip(rows, outcomes, strict=True):
            self._note(row["routing_key"], outcome)
        return len(rows) == BATCH

    def _held_now(self) -> list[str]:
        now = time.monotonic()
        return [routing_key for routing_key, until in self._held.items() if until > now]

    def _note(self, routing_key: str, outcome: BaseException | None) -> None:
        """Raises an outcome that concerns more than events of this kind."""
        if outcome is None:
            if self._held.pop(routing_key, None) is not None:
                logger.info("events are taken again", extra={"routing_key": routing_key})
        elif isinstance(outcome, DeliveryError):
            if routing_key not in self._held:
                logger.warning("no queue takes events", extra={"routing_key": routing_key, "error": repr(outcome)})
            self._held[routing_key] = time.monotonic() + HOLD
        else:
            raise outcome

    async def _publish(self, row: DictRow) -> None:
        await self._broker.publish(row["body"], routing_key=row["routing_key"], message_id=row["event_id"])


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
