from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow

from openmusic_auth.events import UserRegistered
from openmusic_auth.passwords import Passwords
from openmusic_auth.users.errors import UsernameTaken, UserNotFound
from openmusic_auth.users.repository import UserRepository
from openmusic_auth.users.schemas import Registration
from openmusic_kit.database.database import Database
from openmusic_kit.ids import new_id, require_id
from openmusic_kit.messaging import outbox


class UserService:
    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def register(self, registration: Registration) -> str:
        user_id = new_id("user")
        password_hash = await self._passwords.hash(registration.password)
        async with self._database.unit_of_work() as work:
            try:
                await UserRepository(work.connection).add(
                    user_id, registration.username, registration.fullname, password_hash
                )
            except UniqueViolation as error:
                raise UsernameTaken from error
            event = UserRegistered(user_id=user_id, username=registration.username)
            await outbox.append(work.connection, event, aggregate_id=user_id, sequence=1)
            await work.commit()
        return user_id

    async def get(self, user_id: str) -> DictRow:
        """``{id, username, fullname}``"""
        require_id("user", user_id, UserNotFound)
        async with self._database.read() as connection:
            row = await UserRepository(connection).get(user_id)
        if row is None:
            raise UserNotFound
        return row

    async def list_copies(self, after: str, limit: int) -> list[DictRow]:
        """``{id, username}`` of the users behind the id ``after``, in the order of ids."""
        async with self._database.read() as connection:
            return await UserRepository(connection).list_copies(after, limit)
