from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection


class UserRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, user_id: str, username: str, fullname: str, password_hash: str) -> None:
        """Raises UniqueViolation when the username is taken."""
        await self._connection.execute(
            """
            INSERT INTO users (id, username, fullname, password_hash)
            VALUES (%(id)s, %(username)s, %(fullname)s, %(password_hash)s)
            """,
            {"id": user_id, "username": username, "fullname": fullname, "password_hash": password_hash},
        )

    async def get(self, user_id: str) -> DictRow | None:
        cursor = await self._connection.execute(
            "SELECT id, username, fullname FROM users WHERE id = %(id)s", {"id": user_id}
        )
        return await cursor.fetchone()

    async def list_copies(self, after: str, limit: int) -> list[DictRow]:
        """``{id, username}`` of the users behind the id ``after``, in the order of ids."""
        cursor = await self._connection.execute(
            "SELECT id, username FROM users WHERE id > %(after)s ORDER BY id LIMIT %(limit)s",
            {"after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def credentials(self, username: str) -> DictRow | None:
        """``{id, password_hash}``"""
        cursor = await self._connection.execute(
            "SELECT id, password_hash FROM users WHERE username = %(username)s", {"username": username}
        )
        return await cursor.fetchone()

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        await self._connection.execute(
            "UPDATE users SET password_hash = %(password_hash)s WHERE id = %(id)s",
            {"id": user_id, "password_hash": password_hash},
        )
