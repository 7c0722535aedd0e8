from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from openmusic_kit.database.database import Connection


@dataclass(frozen=True, slots=True)
class User:
    id: str
    username: str
    fullname: str


@dataclass(frozen=True, slots=True)
class UserCopy:
    """What another service may keep of a user. ``version`` grows with each change of the username."""

    id: str
    username: str
    version: int


@dataclass(frozen=True, slots=True)
class UserDetails:
    """A user as operators see it. ``sessions`` counts those that have not expired."""

    id: str
    username: str
    fullname: str
    disabled_at: datetime | None
    sessions: int


@dataclass(frozen=True, slots=True)
class Credentials:
    user_id: str
    password_hash: str
    password_changes: int
    """How often the password was changed; a login must not outlive such a change."""


_DETAILS: LiteralString = """
    SELECT id, username, fullname, disabled_at,
           (SELECT count(*) FROM refresh_tokens t WHERE t.user_id = u.id AND t.expires_at > now()) AS sessions
    FROM users u
"""


class UserRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, user: User, password_hash: str) -> None:
        """Raises UniqueViolation when the username is taken."""
        await self._connection.execute(
            """
            INSERT INTO users (id, username, fullname, password_hash)
            VALUES (%(id)s, %(username)s, %(fullname)s, %(password_hash)s)
            """,
            {"id": user.id, "username": user.username, "fullname": user.fullname, "password_hash": password_hash},
        )

    async def find(self, user_id: str) -> User | None:
        cursor = self._connection.cursor(row_factory=class_row(User))
        await cursor.execute("SELECT id, username, fullname FROM users WHERE id = %(id)s", {"id": user_id})
        return await cursor.fetchone()

    async def lock(self, user_id: str) -> User | None:
        """The user, whom nobody else changes until the transaction ends."""
        cursor = self._connection.cursor(row_factory=class_row(User))
        await cursor.execute("SELECT id, username, fullname FROM users WHERE id = %(id)s FOR UPDATE", {"id": user_id})
        return await cursor.fetchone()

    async def list_copies(self, after: str, limit: int) -> list[UserCopy]:
        """Users whose id sorts after ``after``, in the order of ids."""
        cursor = self._connection.cursor(row_factory=class_row(UserCopy))
        await cursor.execute(
            "SELECT id, username, version FROM users WHERE id > %(after)s ORDER BY id LIMIT %(limit)s",
            {"after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def find_copy(self, user_id: str) -> UserCopy | None:
        cursor = self._connection.cursor(row_factory=class_row(UserCopy))
        await cursor.execute("SELECT id, username, version FROM users WHERE id = %(id)s", {"id": user_id})
        return await cursor.fetchone()

    async def find_by_username(self, username: str) -> User | None:
        cursor = self._connection.cursor(row_factory=class_row(User))
        await cursor.execute(
            "SELECT id, username, fullname FROM users WHERE username = %(username)s", {"username": username}
        )
        return await cursor.fetchone()

    async def set_fullname(self, user_id: str, fullname: str) -> None:
        await self._connection.execute(
            "UPDATE users SET fullname = %(fullname)s WHERE id = %(id)s", {"id": user_id, "fullname": fullname}
        )

    async def rename(self, user_id: str, username: str) -> int | None:
        """Returns the version of the new name, or None if it is the present one. Raises UniqueViolation."""
        cursor = await self._connection.execute(
            """
            UPDATE users SET username = %(username)s, version = version + 1
            WHERE id = %(id)s AND username <> %(username)s RETURNING version
            """,
            {"id": user_id, "username": username},
        )
        row = await cursor.fetchone()
        return row["version"] if row else None

    async def delete(self, credentials: Credentials) -> int | None:
        """Deletes the user with all sessions. Returns the version of the deletion.

        None if the password has changed since ``credentials`` were read, or the user is gone.
        """
        cursor = await self._connection.execute(
            """
            DELETE FROM users WHERE id = %(id)s AND password_changes = %(password_changes)s
            RETURNING version + 1 AS version
            """,
            {"id": credentials.user_id, "password_changes": credentials.password_changes},
        )
        row = await cursor.fetchone()
        return row["version"] if row else None

    async def list_details(self, prefix: str, after: str, limit: int) -> list[UserDetails]:
        """Users whose name begins with ``prefix`` and whose id sorts after ``after``, in the order of ids."""
        cursor = self._connection.cursor(row_factory=class_row(UserDetails))
        await cursor.execute(
            f"{_DETAILS} WHERE starts_with(username, %(prefix)s) AND id > %(after)s ORDER BY id LIMIT %(limit)s",
            {"prefix": prefix, "after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def find_details(self, *, username: str = "", user_id: str = "") -> UserDetails | None:
        """By username or by id."""
        cursor = self._connection.cursor(row_factory=class_row(UserDetails))
        await cursor.execute(
            f"{_DETAILS} WHERE username = %(username)s OR id = %(user_id)s",
            {"username": username, "user_id": user_id},
        )
        return await cursor.fetchone()

    async def set_disabled(self, user_id: str, *, disabled: bool) -> bool:
        """Ends logins in progress, too. False if there is no such user."""
        cursor = await self._connection.execute(
            """
            UPDATE users SET disabled_at = CASE WHEN %(disabled)s THEN coalesce(disabled_at, now()) END,
                             password_changes = password_changes + 1
            WHERE id = %(id)s
            """,
            {"id": user_id, "disabled": disabled},
        )
        return cursor.rowcount == 1

    async def find_credentials(
        self, *, username: str = "", user_id: str = "", even_disabled: bool = False
    ) -> Credentials | None:
        """By username or by id. None for a user who is disabled, unless ``even_disabled``."""
        cursor = self._connection.cursor(row_factory=class_row(Credentials))
        await cursor.execute(
            """
            SELECT id AS user_id, password_hash, password_changes FROM users
            WHERE (username = %(username)s OR id = %(user_id)s) AND (disabled_at IS NULL OR %(even_disabled)s)
            """,
            {"username": username, "user_id": user_id, "even_disabled": even_disabled},
        )
        return await cursor.fetchone()

    async def rehash(self, credentials: Credentials, password_hash: str) -> None:
        """Replaces the hash of the same password. Does nothing if the password has changed meanwhile."""
        await self._connection.execute(
            """
            UPDATE users SET password_hash = %(password_hash)s
            WHERE id = %(id)s AND password_changes = %(password_changes)s
            """,
            {
                "id": credentials.user_id,
                "password_changes": credentials.password_changes,
                "password_hash": password_hash,
            },
        )

    async def change_password(self, credentials: Credentials, password_hash: str) -> bool:
        """False if the password has changed since ``credentials`` were read."""
        cursor = await self._connection.execute(
            """
            UPDATE users SET password_hash = %(password_hash)s, password_changes = password_changes + 1
            WHERE id = %(id)s AND password_changes = %(password_changes)s
            """,
            {
                "id": credentials.user_id,
                "password_changes": credentials.password_changes,
                "password_hash": password_hash,
            },
        )
        return cursor.rowcount == 1
