"""The results of changes whose request had a key, kept for a day."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from openmusic_kit.database.connections import Connection
from openmusic_kit.edge.tags import bounded
from openmusic_kit.errors import Unavailable
from openmusic_kit.idempotency.keys import KeyReused, RequestKey, current_key

RETENTION = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Result:
    """What a method returns after its change, which a repeat of the request gets.

    ``tags`` are the edge tags that the change outdated: the first answer may have been lost with its purge.
    """

    value: str | None
    tags: Sequence[str] = ()


class UnderWay(Unavailable):
    code = "idempotency_key_under_way"
    message = "The first request with this key is still under way"


class AlreadyDone(Exception):
    """Another request with the same key has made the change; it need not be made again."""

    def __init__(self, result: Result) -> None:
        super().__init__(result)
        self.result = result


@dataclass(frozen=True, slots=True)
class _Stored:
    fingerprint: bytes
    result: str | None
    tags: list[str]


def must_store(result: Result | None) -> bool:
    """Whether the transaction has a result and its request a key."""
    return result is not None and current_key() is not None


async def require_new(connection: Connection, key: RequestKey) -> None:
    """Raises AlreadyDone or KeyReused if there is a result."""
    cursor = await connection.cursor(row_factory=class_row(_Stored)).execute(
        """
        SELECT fingerprint, result, tags FROM idempotency_keys
        WHERE id = %(id)s AND created_at >= now() - make_interval(secs => %(retention)s)
        """,
        {"id": key.id, "retention": RETENTION},
    )
    stored = await cursor.fetchone()
    if stored is not None:
        if stored.fingerprint != key.fingerprint:
            raise KeyReused
        raise AlreadyDone(Result(stored.result, stored.tags))


async def store(connection: Connection, result: Result) -> None:
    """Stores the result with the change that the transaction makes after this, if the request has a key.

    Also removes a few old results. The lock belongs to the transaction, so a second request with the key does not wait
    for the first. Raises UnderWay if that holds the lock, and AlreadyDone or KeyReused if it has committed since the
    last look.
    """
    key = current_key()
    if key is None:
        return
    cursor = await connection.execute(
        """
        WITH old AS (
            DELETE FROM idempotency_keys WHERE id IN (
                SELECT id FROM idempotency_keys
                WHERE created_at < now() - make_interval(secs => %(retention)s) AND id <> %(id)s
                ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED
            )
        )
        INSERT INTO idempotency_keys AS stored (id, fingerprint, result)
        SELECT %(id)s, %(fingerprint)s, %(result)s
        WHERE pg_try_advisory_xact_lock(%(lock)s)
        ON CONFLICT (id) DO UPDATE
        SET fingerprint = excluded.fingerprint, result = excluded.result, tags = '{}', created_at = now()
        WHERE stored.created_at < now() - make_interval(secs => %(retention)s)
        """,
        {
            "id": key.id,
            "fingerprint": key.fingerprint,
            "result": result.value,
            "retention": RETENTION,
            "lock": int.from_bytes(key.id[:8], signed=True),
        },
    )
    if cursor.rowcount != 1:
        await require_new(connection, key)
        raise UnderWay


async def store_tags(connection: Connection, tags: Sequence[str]) -> None:
    """Stores the edge tags that the transaction outdates, with the result of a request that has a key."""
    if tags and (key := current_key()) is not None:
        await connection.execute(
            "UPDATE idempotency_keys SET tags = tags || %(tags)s WHERE id = %(id)s",
            {"id": key.id, "tags": bounded(tags)},
        )
