from psycopg.errors import UniqueViolation

from openmusic_auth.events import UserRegistered
from openmusic_auth.passwords import Passwords
from openmusic_auth.users.errors import UsernameTaken, UserNotFound
from openmusic_auth.users.repository import User, UserCopy, UserRepository
from openmusic_kit.database.database import Database
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.ids import new_id, require_id
from openmusic_kit.messaging import outbox


class UserService:
    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    @repeatable
    async def register(self, username: str, password: str, fullname: str) -> str:
        """Returns the id of the new user. Raises UsernameTaken."""
        user = User(new_id("user"), username, fullname)
        password_hash = await self._passwords.hash(password)
        async with self._database.unit_of_work(Result(user.id)) as work:
            try:
                await UserRepository(work.connection).add(user, password_hash)
            except UniqueViolation as error:
                raise UsernameTaken from error
            event = UserRegistered(user_id=user.id, username=username)
            await outbox.append(work.connection, event, aggregate_id=user.id, sequence=1)
            await work.commit()
        return user.id

    async def get(self, user_id: str) -> User:
        """Raises UserNotFound."""
        require_id("user", user_id, UserNotFound)
        async with self._database.read() as connection:
            user = await UserRepository(connection).find(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def get_copy(self, user_id: str) -> UserCopy:
        """Raises UserNotFound."""
        require_id("user", user_id, UserNotFound)
        async with self._database.read() as connection:
            copy = await UserRepository(connection).find_copy(user_id)
        if copy is None:
            raise UserNotFound
        return copy

    async def find(self, username: str) -> list[User]:
        """The user of exactly this name, or nobody."""
        async with self._database.read() as connection:
            user = await UserRepository(connection).find_by_username(username)
        return [user] if user else []

    async def list_copies(self, after: str, limit: int) -> list[UserCopy]:
        """Users whose id sorts after ``after``, in the order of ids."""
        async with self._database.read() as connection:
            return await UserRepository(connection).list_copies(after, limit)
