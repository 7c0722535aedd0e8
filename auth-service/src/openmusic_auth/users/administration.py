from openmusic_auth.authentications.repository import RefreshTokenRepository
from openmusic_auth.passwords import Passwords
from openmusic_auth.users.deletion import delete_user
from openmusic_auth.users.errors import UserChanged, UserNotFound
from openmusic_auth.users.repository import Credentials, UserDetails, UserRepository
from openmusic_kit.database.database import Database
from openmusic_kit.ids import is_id


class UserAdministration:
    """What operators do with users. A user is named by the id or by the exact username."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def list_all(self, prefix: str, after: str, limit: int) -> list[UserDetails]:
        """Users whose name begins with ``prefix``, in the order of ids, from the one after the id ``after``."""
        async with self._database.read() as connection:
            return await UserRepository(connection).list_details(prefix, after, limit)

    async def get(self, user: str) -> UserDetails:
        """Raises UserNotFound."""
        async with self._database.read() as connection:
            found = await UserRepository(connection).find_details(**_named(user))
        if found is None:
            raise UserNotFound
        return found

    async def set_password(self, user: str, password: str) -> None:
        """Ends all sessions, and logins in progress. Raises UserNotFound and UserChanged."""
        credentials = await self._credentials(user)
        password_hash = await self._passwords.hash(password)
        async with self._database.unit_of_work() as work:
            if not await UserRepository(work.connection).change_password(credentials, password_hash):
                raise UserChanged
            await RefreshTokenRepository(work.connection).delete_sessions(credentials.user_id)
            await work.commit()

    async def set_disabled(self, user: str, *, disabled: bool) -> None:
        """A disabled user cannot log in. Ends all sessions, and logins in progress. Raises UserNotFound."""
        credentials = await self._credentials(user)
        async with self._database.unit_of_work() as work:
            if not await UserRepository(work.connection).set_disabled(credentials.user_id, disabled=disabled):
                raise UserNotFound
            await RefreshTokenRepository(work.connection).delete_sessions(credentials.user_id)
            await work.commit()

    async def delete(self, user: str) -> None:
        """As the user could. Raises UserNotFound and UserChanged."""
        if not await delete_user(self._database, await self._credentials(user)):
            raise UserChanged

    async def _credentials(self, user: str) -> Credentials:
        async with self._database.read() as connection:
            credentials = await UserRepository(connection).find_credentials(**_named(user), even_disabled=True)
        if credentials is None:
            raise UserNotFound
        return credentials


def _named(user: str) -> dict[str, str]:
    return {"user_id": user} if is_id("user", user) else {"username": user}
