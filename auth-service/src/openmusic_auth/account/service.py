from psycopg.errors import UniqueViolation

from openmusic_auth.account.errors import SessionNotFound, WrongPassword
from openmusic_auth.authentications.repository import RefreshTokenRepository, Session
from openmusic_auth.authentications.service import hash_refresh_token
from openmusic_auth.events import UserRenamed
from openmusic_auth.invalidation import user_changed
from openmusic_auth.passwords import Passwords
from openmusic_auth.users.deletion import delete_user
from openmusic_auth.users.errors import UsernameTaken
from openmusic_auth.users.repository import Credentials, User, UserRepository
from openmusic_kit.checks import Check
from openmusic_kit.database.database import Database, UnitOfWork
from openmusic_kit.edge.answers import purge_with_answer
from openmusic_kit.errors import Unauthenticated
from openmusic_kit.ids import require_id
from openmusic_kit.messaging import outbox


class AccountService:
    """What users do with their own account. ``user_id`` is the user of the access token, who may be gone by now."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def get(self, user_id: str) -> User:
        async with self._database.read() as connection:
            user = await UserRepository(connection).find(user_id)
        if user is None:
            raise Unauthenticated
        return user

    async def update(self, user_id: str, username: str | None, fullname: str | None, check: Check[User] | None) -> User:
        """None keeps the present name. Announces a new username to the services that show it.

        Raises UsernameTaken, and what ``check`` raises.
        """
        async with self._database.unit_of_work() as work:
            users = UserRepository(work.connection)
            present = await users.lock(user_id)
            if present is None:
                raise Unauthenticated
            if check is not None:
                check(present)
            if username is not None:
                await self._rename(work, user_id, username)
            if fullname is not None:
                await users.set_fullname(user_id, fullname)
            await work.commit()
        await purge_with_answer(user_changed(user_id))
        return User(user_id, username or present.username, fullname or present.fullname)

    async def _rename(self, work: UnitOfWork, user_id: str, username: str) -> None:
        try:
            version = await UserRepository(work.connection).rename(user_id, username)
        except UniqueViolation as error:
            raise UsernameTaken from error
        if version is not None:
            event = UserRenamed(user_id=user_id, username=username)
            await outbox.append(work.connection, event, aggregate_id=user_id, sequence=version)

    async def change_password(
        self, user_id: str, password: str, new_password: str, kept_refresh_token: str | None
    ) -> None:
        """Ends all sessions but that of ``kept_refresh_token``, and logins in progress. Raises WrongPassword."""
        credentials = await self._verified(user_id, password)
        password_hash = await self._passwords.hash(new_password)
        keep = hash_refresh_token(kept_refresh_token) if kept_refresh_token else b""
        async with self._database.unit_of_work() as work:
            if not await UserRepository(work.connection).change_password(credentials, password_hash):
                raise WrongPassword
            await RefreshTokenRepository(work.connection).delete_sessions(user_id, keep=keep)
            await work.commit()

    async def delete(self, user_id: str, password: str) -> None:
        """Raises WrongPassword."""
        if not await delete_user(self._database, await self._verified(user_id, password)):
            raise WrongPassword
        await purge_with_answer(user_changed(user_id))

    async def list_sessions(self, user_id: str, before: str, limit: int) -> list[Session]:
        """Newest first, older than the session ``before``, if that is not empty."""
        async with self._database.read() as connection:
            return await RefreshTokenRepository(connection).list_sessions(user_id, before, limit)

    async def count_sessions(self, user_id: str, limit: int) -> int:
        """Counts up to ``limit``."""
        async with self._database.read() as connection:
            return await RefreshTokenRepository(connection).count_sessions(user_id, limit)

    async def end_session(self, user_id: str, session_id: str) -> None:
        """Raises SessionNotFound."""
        require_id("session", session_id, SessionNotFound)
        async with self._database.autocommit() as connection:
            if not await RefreshTokenRepository(connection).delete_session(user_id, session_id):
                raise SessionNotFound

    async def end_all_sessions(self, user_id: str) -> None:
        async with self._database.autocommit() as connection:
            await RefreshTokenRepository(connection).delete_sessions(user_id)

    async def _verified(self, user_id: str, password: str) -> Credentials:
        """Raises WrongPassword."""
        async with self._database.read() as connection:
            credentials = await UserRepository(connection).find_credentials(user_id=user_id)
        if credentials is None:
            raise Unauthenticated
        if not await self._passwords.verify(password, credentials.password_hash):
            raise WrongPassword
        return credentials
