"""The transactional outbox: an event is stored in the transaction of its change, and published after that commits.

A row is deleted once the broker has confirmed it, so the table holds only what is still to be published.
"""

from collections.abc import Mapping
from typing import LiteralString

from openmusic_kit.database.database import Connection
from openmusic_kit.messaging.events import Envelope, EventData

_INSERT = """
    INSERT INTO outbox (event_id, routing_key, body)
    SELECT %(outbox_event_id)s, %(outbox_routing_key)s, %(outbox_body)s
"""


async def append(connection: Connection, event: EventData, *, aggregate_id: str, sequence: int) -> None:
    """Stores the event. The relay of this process is woken when the transaction has ended."""
    await connection.execute(_INSERT, _values(event, aggregate_id, sequence))
    connection.has_events = True


async def append_all(connection: Connection, events: Mapping[str, EventData], *, sequence: int) -> None:
    """Stores an event for each aggregate, by its id, in one statement. They are published in the order given."""
    envelopes = [Envelope.of(event, aggregate_id, sequence) for aggregate_id, event in events.items()]
    await connection.execute(
        """
        INSERT INTO outbox (event_id, routing_key, body)
        SELECT event_id, routing_key, body
        FROM unnest(%(event_ids)s::text[], %(routing_keys)s::text[], %(bodies)s::bytea[]) WITH ORDINALITY
             AS event (event_id, routing_key, body, number)
        ORDER BY number
        """,
        {
            "event_ids": [each.id for each in envelopes],
            "routing_keys": [each.routing_key for each in envelopes],
            "bodies": [each.model_dump_json(by_alias=True).encode() for each in envelopes],
        },
    )
    connection.has_events = bool(events) or connection.has_events


async def append_with(
    connection: Connection,
    statement: LiteralString,
    parameters: Mapping[str, object],
    event: EventData,
    *,
    aggregate_id: str,
    sequence: int,
) -> bool:
    """Executes ``statement`` and, if it changed a row, stores the event, all in one round trip.

    The statement changes at most one row and ends with ``RETURNING 1``. Returns whether it changed one.
    """
    cursor = await connection.execute(
        f"WITH changed AS ({statement}), appended AS ({_INSERT} FROM changed) SELECT 1 FROM changed",  # noqa: S608 - constants
        {**parameters, **_values(event, aggregate_id, sequence)},
    )
    changed = cursor.rowcount == 1
    connection.has_events |= changed
    return changed


def _values(event: EventData, aggregate_id: str, sequence: int) -> dict[str, object]:
    envelope = Envelope.of(event, aggregate_id, sequence)
    return {
        "outbox_event_id": envelope.id,
        "outbox_routing_key": envelope.routing_key,
        "outbox_body": envelope.model_dump_json(by_alias=True).encode(),
    }
