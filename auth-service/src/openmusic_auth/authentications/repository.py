from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from openmusic_auth.users.repository import Credentials
from openmusic_kit.database.database import Connection, count_up_to
from openmusic_kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Session:
    """A refresh token, as its user sees it."""

    id: str
    created_at: datetime
    expires_at: datetime
    user_agent: str | None


class RefreshTokenRepository:
    """Stores hashes only, so that a leaked table is useless."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, token_hash: bytes, credentials: Credentials, age: int, user_agent: str | None) -> bool:
        """False if the password has changed since ``credentials`` were read. ``age`` is in seconds.

        The row lock makes a change of the password wait, which then ends this session too. Also removes up to ten
        expired tokens of any user.
        """
        cursor = await self._connection.execute(
            """
            WITH expired AS (
                DELETE FROM refresh_tokens WHERE token_hash IN (
                    SELECT token_hash FROM refresh_tokens WHERE expires_at <= now()
                    ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED
                )
            )
            INSERT INTO refresh_tokens (id, token_hash, user_id, expires_at, user_agent)
            SELECT %(id)s, %(token_hash)s, id, now() + make_interval(secs => %(age)s), %(user_agent)s
            FROM users WHERE id = %(user_id)s AND password_changes = %(password_changes)s FOR SHARE
            """,
            {
                "id": new_id("session"),
                "token_hash": token_hash,
                "user_id": credentials.user_id,
                "password_changes": credentials.password_changes,
                "age": age,
                "user_agent": user_agent,
            },
        )
        return cursor.rowcount == 1

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

    async def list_sessions(self, user_id: str, before: str, limit: int) -> list[Session]:
        """Newest first. ``before`` is the id of the last session of the previous page, or empty."""
        cursor = self._connection.cursor(row_factory=class_row(Session))
        await cursor.execute(
            """
            SELECT id, created_at, expires_at, user_agent FROM refresh_tokens
            WHERE user_id = %(user_id)s AND expires_at > now() AND (%(before)s = '' OR id < %(before)s)
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {"user_id": user_id, "before": before, "limit": limit},
        )
        return await cursor.fetchall()

    async def count_sessions(self, user_id: str, limit: int) -> int:
        """Counts up to ``limit``."""
        rows = "SELECT FROM refresh_tokens WHERE user_id = %(user_id)s AND expires_at > now()"
        return await count_up_to(self._connection, limit, rows, {"user_id": user_id})

    async def delete_session(self, user_id: str, session_id: str) -> bool:
        cursor = await self._connection.execute(
            "DELETE FROM refresh_tokens WHERE user_id = %(user_id)s AND id = %(id)s AND expires_at > now()",
            {"user_id": user_id, "id": session_id},
        )
        return cursor.rowcount == 1

    async def delete_sessions(self, user_id: str, *, keep: bytes = b"") -> None:
        """All sessions of the user, but the one whose token has the hash ``keep``."""
        await self._connection.execute(
            "DELETE FROM refresh_tokens WHERE user_id = %(user_id)s AND token_hash <> %(keep)s",
            {"user_id": user_id, "keep": keep},
        )
