import hashlib
import secrets
import time

import jwt

from openmusic_auth.authentications.errors import RefreshTokenInvalid, WrongCredentials
from openmusic_auth.authentications.repository import RefreshTokenRepository
from openmusic_auth.authentications.schemas import Login
from openmusic_auth.keys.service import SigningKeys
from openmusic_auth.passwords import Passwords
from openmusic_auth.settings import Settings
from openmusic_auth.users.repository import UserRepository
from openmusic_kit.database.database import Database
from openmusic_kit.identity.token_verifier import ALGORITHM, TOKEN_TYPE

REFRESH_TOKEN_BYTES = 32


class AuthenticationService:
    def __init__(self, database: Database, passwords: Passwords, keys: SigningKeys, settings: Settings) -> None:
        self._database = database
        self._passwords = passwords
        self._keys = keys
        self._settings = settings

    async def log_in(self, login: Login) -> tuple[str, str]:
        """An access token and a refresh token. Unknown user and wrong password are one and the same error."""
        user_id = await self._authenticate(login)
        access_token = self._access_token(user_id)
        refresh_token = secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
        async with self._database.autocommit() as connection:
            tokens = RefreshTokenRepository(connection)
            await tokens.add(_hashed(refresh_token), user_id, self._settings.refresh_token_age)
        return access_token, refresh_token

    async def refresh(self, refresh_token: str) -> str:
        async with self._database.read() as connection:
            user_id = await RefreshTokenRepository(connection).user_of(_hashed(refresh_token))
        if user_id is None:
            raise RefreshTokenInvalid
        return self._access_token(user_id)

    async def log_out(self, refresh_token: str) -> None:
        async with self._database.autocommit() as connection:
            if not await RefreshTokenRepository(connection).delete(_hashed(refresh_token)):
                raise RefreshTokenInvalid

    async def _authenticate(self, login: Login) -> str:
        user = None
        if "\0" not in login.username:
            async with self._database.read() as connection:
                user = await UserRepository(connection).credentials(login.username)
        if not await self._passwords.verify(login.password, user["password_hash"] if user else None) or user is None:
            raise WrongCredentials
        if self._passwords.outdated(user["password_hash"]):
            await self._rehash(user["id"], login.password)
        user_id: str = user["id"]
        return user_id

    async def _rehash(self, user_id: str, password: str) -> None:
        password_hash = await self._passwords.hash(password)
        async with self._database.autocommit() as connection:
            await UserRepository(connection).set_password_hash(user_id, password_hash)

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


def _hashed(refresh_token: str) -> bytes:
    """A random token needs no slow hash; SHA-256 keeps a stolen table useless."""
    return hashlib.sha256(refresh_token.encode()).digest()
