"""The transactional outbox: an event is stored in the transaction of its change, and published after that commits.

A row is deleted once the broker has confirmed it, so the table holds only what is still to be published.
"""

from collections.abc import Mapping
from typing import LiteralString

from openmusic_kit.database.database import Connection
from openmusic_kit.messaging.events import Envelope, EventData

_INSERT = """
    INSERT INTO outbox (event_id, routing_key, body)
    VALUES (%(outbox_event_id)s, %(outbox_routing_key)s, %(outbox_body)s)
"""


async def append(connection: Connection, event: EventData, *, aggregate_id: str, sequence: int) -> None:
    """Stores the event. The relay of this process is woken when the transaction has ended."""
    await connection.execute(_INSERT, _values(event, aggregate_id, sequence))
    connection.has_events = True


async def append_with(
    connection: Connection,
    statement: LiteralString,
    parameters: Mapping[str, object],
    event: EventData,
    *,
    aggregate_id: str,
    sequence: int,
) -> None:
    """Executes ``statement`` and stores the event in one round trip. If the statement fails, the event is not stored.

    The statement must be an INSERT: one that may change no row would store the event all the same.
    """
    values = _values(event, aggregate_id, sequence)
    await connection.execute(f"WITH appended AS ({_INSERT}) {statement}", {**parameters, **values})
    connection.has_events = True


def _values(event: EventData, aggregate_id: str, sequence: int) -> dict[str, object]:
    envelope = Envelope.of(event, aggregate_id, sequence)
    return {
        "outbox_event_id": envelope.id,
        "outbox_routing_key": envelope.routing_key,
        "outbox_body": envelope.model_dump_json(by_alias=True).encode(),
    }
