from openmusic_kit.database.database import Connection


class RefreshTokenRepository:
    """Stores hashes only, so that a leaked table is useless."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, token_hash: bytes, user_id: str, age: int) -> None:
        """``age`` is in seconds. Also removes up to ten expired tokens of any user."""
        await self._connection.execute(
            """
            WITH expired AS (
                DELETE FROM refresh_tokens WHERE token_hash IN (
                    SELECT token_hash FROM refresh_tokens WHERE expires_at <= now()
                    ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED
                )
            )
            INSERT INTO refresh_tokens (token_hash, user_id, expires_at)
            VALUES (%(token_hash)s, %(user_id)s, now() + make_interval(secs => %(age)s))
            """,
            {"token_hash": token_hash, "user_id": user_id, "age": age},
        )

    async def find_user(self, token_hash: bytes) -> str | None:
        cursor = await self._connection.execute(
            "SELECT user_id FROM refresh_tokens WHERE token_hash = %(token_hash)s AND expires_at > now()",
            {"token_hash": token_hash},
        )
        row = await cursor.fetchone()
        return row["user_id"] if row else None

    async def delete(self, token_hash: bytes) -> bool:
        cursor = await self._connection.execute(
            "DELETE FROM refresh_tokens WHERE token_hash = %(token_hash)s AND expires_at > now()",
            {"token_hash": token_hash},
        )
        return cursor.rowcount == 1
