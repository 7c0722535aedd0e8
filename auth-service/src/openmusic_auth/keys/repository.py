from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection


class KeyRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def valid(self, publish_ahead: int) -> list[DictRow]:
        """``{kid, private_key, retires_at, known_everywhere}`` of each key that still verifies, the newest first.

        A key is known everywhere once it is ``publish_ahead`` seconds old.
        """
        cursor = await self._connection.execute(
            """
            SELECT kid, private_key, retires_at,
                   created_at <= now() - make_interval(secs => %(publish_ahead)s) AS known_everywhere
            FROM signing_keys
            WHERE retires_at IS NULL OR retires_at > now()
            ORDER BY retires_at DESC NULLS FIRST
            """,
            {"publish_ahead": publish_ahead},
        )
        return await cursor.fetchall()

    async def add_unless_present(self, kid: str, private_key: str) -> None:
        """Adds the key unless there is one that does not retire: of several copies that start at once, one succeeds."""
        await self._connection.execute(
            """
            INSERT INTO signing_keys (kid, private_key) VALUES (%(kid)s, %(private_key)s)
            ON CONFLICT ((retires_at IS NULL)) WHERE retires_at IS NULL DO NOTHING
            """,
            {"kid": kid, "private_key": private_key},
        )

    async def take_turns(self) -> None:
        """Until the transaction ends no one else adds or retires a key: each of two rotations at once counts."""
        await self._connection.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")

    async def retire_newest(self, seconds: int) -> None:
        """The newest key stays in the key set for so many seconds more; those long retired are forgotten."""
        await self._connection.execute(
            """
            WITH forgotten AS (DELETE FROM signing_keys WHERE retires_at < now() - interval '1 day')
            UPDATE signing_keys SET retires_at = now() + make_interval(secs => %(seconds)s) WHERE retires_at IS NULL
            """,
            {"seconds": seconds},
        )
