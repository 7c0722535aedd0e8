from dataclasses import dataclass

from psycopg.rows import class_row

from openmusic_kit.database.database import Connection


@dataclass(frozen=True, slots=True)
class StoredKey:
    kid: str
    private_key: str
    """Encrypted PEM."""
    retiring: bool
    published_long_enough: bool
    """Whether every copy of the service publishes it by now, so that it may sign."""


class KeyRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list_valid(self, publish_ahead: int) -> list[StoredKey]:
        """Keys that still verify, newest first. A key may sign once it is ``publish_ahead`` seconds old."""
        cursor = self._connection.cursor(row_factory=class_row(StoredKey))
        await cursor.execute(
            """
            SELECT kid, private_key, retires_at IS NOT NULL AS retiring,
                   created_at <= now() - make_interval(secs => %(publish_ahead)s) AS published_long_enough
            FROM signing_keys
            WHERE retires_at IS NULL OR retires_at > now()
            ORDER BY retires_at DESC NULLS FIRST
            """,
            {"publish_ahead": publish_ahead},
        )
        return await cursor.fetchall()

    async def add_unless_present(self, kid: str, private_key: str) -> None:
        """Does nothing if a key is not retiring: when several copies start at once, one of them adds a key."""
        await self._connection.execute(
            """
            INSERT INTO signing_keys (kid, private_key) VALUES (%(kid)s, %(private_key)s)
            ON CONFLICT ((retires_at IS NULL)) WHERE retires_at IS NULL DO NOTHING
            """,
            {"kid": kid, "private_key": private_key},
        )

    async def lock_for_rotation(self) -> None:
        """Serializes rotations until the transaction ends, so that none of two at once is lost."""
        await self._connection.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")

    async def retire_newest(self, seconds: int) -> None:
        """Publishes the newest key for ``seconds`` more. Deletes keys that retired more than a day ago."""
        await self._connection.execute(
            """
            WITH deleted AS (DELETE FROM signing_keys WHERE retires_at < now() - interval '1 day')
            UPDATE signing_keys SET retires_at = now() + make_interval(secs => %(seconds)s) WHERE retires_at IS NULL
            """,
            {"seconds": seconds},
        )
