"""The inbox: ids of the events that were applied, kept in the transaction that applied them."""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from openmusic_kit.messaging.topology import DEAD_LETTER_LIFE, RetrySchedule

RETENTION = RetrySchedule().give_up_after + DEAD_LETTER_LIFE
"""Seconds. A message comes again until it is given up, and from the dead letters after that."""


async def mark_processed(connection: AsyncConnection[DictRow], event_id: str) -> bool:
    """Whether the event is new. It counts as applied once the transaction commits."""
    return event_id in await mark_all_processed(connection, [event_id])


async def mark_all_processed(connection: AsyncConnection[DictRow], event_ids: Sequence[str]) -> set[str]:
    """Those of the events that are new. They count as applied once the transaction commits; forgets a few old ids."""
    cursor = await connection.execute(
        """
        WITH forgotten AS (
            DELETE FROM inbox WHERE event_id IN (
                SELECT event_id FROM inbox WHERE received_at < now() - make_interval(secs => %(remembered)s)
                ORDER BY received_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
            )
        )
        INSERT INTO inbox (event_id) SELECT DISTINCT unnest(%(event_ids)s::text[]) AS event_id ORDER BY event_id
        ON CONFLICT (event_id) DO NOTHING RETURNING event_id
        """,
        {"event_ids": list(event_ids), "remembered": RETENTION, "most": 10 * len(event_ids)},
    )
    return {row["event_id"] for row in await cursor.fetchall()}


async def was_seen(connection: AsyncConnection[DictRow], event_id: str) -> bool:
    """Whether the event was applied, for work that takes more than one transaction."""
    cursor = await connection.execute("SELECT 1 FROM inbox WHERE event_id = %(event_id)s", {"event_id": event_id})
    return await cursor.fetchone() is not None
