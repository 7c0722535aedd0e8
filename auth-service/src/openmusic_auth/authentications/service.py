import hashlib
import secrets
import time

import jwt

from openmusic_auth.authentications.errors import RefreshTokenInvalid, WrongCredentials
from openmusic_auth.authentications.repository import RefreshTokenRepository
from openmusic_auth.keys.service import SigningKeys
from openmusic_auth.passwords import Passwords
from openmusic_auth.settings import Settings
from openmusic_auth.users.repository import Credentials, UserRepository
from openmusic_kit.database.database import Database
from openmusic_kit.identity.token_verifier import ALGORITHM, TOKEN_TYPE

REFRESH_TOKEN_BYTES = 32


class AuthenticationService:
    def __init__(self, database: Database, passwords: Passwords, keys: SigningKeys, settings: Settings) -> None:
        self._database = database
        self._passwords = passwords
        self._keys = keys
        self._settings = settings

    async def log_in(self, username: str, password: str, user_agent: str | None) -> tuple[str, str]:
        """Returns an access token and a refresh token. Raises WrongCredentials."""
        credentials = await self._authenticate(username, password)
        access_token = self._access_token(credentials.user_id)
        refresh_token = secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
        async with self._database.autocommit() as connection:
            tokens = RefreshTokenRepository(connection)
            token_hash = hash_refresh_token(refresh_token)
            if not await tokens.add(token_hash, credentials, self._settings.refresh_token_age, user_agent):
                raise WrongCredentials
        return access_token, refresh_token

    async def refresh(self, refresh_token: str) -> str:
        async with self._database.read() as connection:
            user_id = await RefreshTokenRepository(connection).find_user(hash_refresh_token(refresh_token))
        if user_id is None:
            raise RefreshTokenInvalid
        return self._access_token(user_id)

    async def log_out(self, refresh_token: str) -> None:
        async with self._database.autocommit() as connection:
            if not await RefreshTokenRepository(connection).delete(hash_refresh_token(refresh_token)):
                raise RefreshTokenInvalid

    async def _authenticate(self, username: str, password: str) -> Credentials:
        """An unknown user and a wrong password raise the same error."""
        credentials = None
        if "\0" not in username:
            async with self._database.read() as connection:
                credentials = await UserRepository(connection).find_credentials(username=username)
        stored = credentials.password_hash if credentials else None
        if not await self._passwords.verify(password, stored) or credentials is None:
            raise WrongCredentials
        if self._passwords.needs_rehash(credentials.password_hash):
            password_hash = await self._passwords.hash(password)
            async with self._database.autocommit() as connection:
                await UserRepository(connection).rehash(credentials, password_hash)
        return credentials

    def _access_token(self, user_id: str) -> str:
        kid, key = self._keys.current()
        now = int(time.time())
        claims = {
            "iss": self._settings.token_issuer,
            "aud": self._settings.token_audience,
            "sub": user_id,
            "iat": now,
            "exp": now + self._settings.access_token_age,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid, "typ": TOKEN_TYPE})


def hash_refresh_token(refresh_token: str) -> bytes:
    """Random tokens need no slow hash."""
    return hashlib.sha256(refresh_token.encode()).digest()
