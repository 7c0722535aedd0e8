"""The transactional outbox: an event is stored in the transaction of its change, and published after that commits.

A row is deleted once the broker has confirmed it, so the table holds only what is still to be published.
"""

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from openmusic_kit.messaging.events import Envelope, EventData

CHANNEL = "outbox"
"""PostgreSQL's channel that wakes relays."""


async def append(connection: AsyncConnection[DictRow], event: EventData, *, aggregate_id: str, sequence: int) -> None:
    """Stores the event. Relays are notified when the transaction commits."""
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
