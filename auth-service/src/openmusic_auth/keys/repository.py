from psycopg.rows import DictRow

from openmusic_kit.database import Connection


class KeyRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def valid(self) -> list[DictRow]:
        """``{kid, private_key, retires_at}`` of each key that still verifies; the one that signs comes first."""
        cursor = await self._connection.execute(
            """
            SELECT kid, private_key, retires_at FROM signing_keys
            WHERE retires_at IS NULL OR retires_at > now()
            ORDER BY retires_at DESC NULLS FIRST
            """
        )
        return await cursor.fetchall()

    async def add_first(self, kid: str, private_key: str) -> None:
        """Adds the key unless there is one that signs: of several copies that start at once, one succeeds."""
        await self._connection.execute(
            """
            INSERT INTO signing_keys (kid, private_key) VALUES (%(kid)s, %(private_key)s)
            ON CONFLICT ((retires_at IS NULL)) WHERE retires_at IS NULL DO NOTHING
            """,
            {"kid": kid, "private_key": private_key},
        )

    async def retire_current(self, seconds: int) -> None:
        """The key that signs stays in the key set for so many seconds more; those long retired are forgotten."""
        await self._connection.execute(
            """
            WITH forgotten AS (DELETE FROM signing_keys WHERE retires_at < now() - interval '1 day')
            UPDATE signing_keys SET retires_at = now() + make_interval(secs => %(seconds)s) WHERE retires_at IS NULL
            """,
            {"seconds": seconds},
        )
