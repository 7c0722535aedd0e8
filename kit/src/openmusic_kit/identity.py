"""Who is asking: access tokens are verified against the public keys that the issuer publishes as a JWK set."""

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import jwt

from openmusic_kit.errors import Unauthenticated, Unavailable

logger = logging.getLogger(__name__)

CREDENTIAL_HEADER = "X-Service-Credential"
"""Carries what the services share, and what opens ``/internal`` routes to them."""

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type (RFC 9068), not a secret
MEMO_SIZE = 10_000  # tokens
KEYS_LIFETIME = 60.0  # seconds after which the key set is fetched again, so that a withdrawn key stops working
REFETCH_COOLDOWN = 1.0  # seconds between fetches, however many unknown keys are presented
TOKEN_MAX_LENGTH = 4096
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")
"""A signature of 64 bytes has one spelling; decoders pass over padding and stray bits, so that it would have many."""

KeySource = Callable[[], Awaitable[bytes]]
"""Fetches the issuer's JWK set (RFC 7517). Raises Unavailable."""


@dataclass(frozen=True)
class _Verified:
    user_id: str
    key_id: str
    expires_at: float


class TokenVerifier:
    """Verifies access tokens; a verdict is remembered until the token expires or its key is withdrawn."""

    def __init__(
        self, key_source: KeySource, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key_source = key_source
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = 0.0
        self._fetching = asyncio.Lock()
        self._memo: OrderedDict[str, _Verified] = OrderedDict()

    async def verify(self, token: str) -> str:
        """The id of the user that the token speaks for. Raises Unauthenticated, or Unavailable without keys."""
        now = self._clock()
        if now - self._fetched_at > KEYS_LIFETIME:
            await self._fetch_keys(now)
        known = self._memo.get(token)
        if known is not None and known.expires_at > now and known.key_id in self._keys:
            return known.user_id
        verified = await self._decode(token)
        self._memo[token] = verified
        if len(self._memo) > MEMO_SIZE:
            self._memo.popitem(last=False)
        return verified.user_id

    async def ready(self) -> None:
        """Raises Unavailable unless signing keys are known."""
        if not self._keys:
            await self._fetch_keys(self._clock())

    async def _decode(self, token: str) -> _Verified:
        if len(token) > TOKEN_MAX_LENGTH or not _TOKEN.fullmatch(token):
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE or not isinstance(key_id, str):
                raise Unauthenticated
            claims = jwt.decode(
                token,
                await self._key(key_id),
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except (jwt.PyJWTError, UnicodeError) as error:
            raise Unauthenticated from error
        return _Verified(claims["sub"], key_id, float(claims["exp"]))

    async def _key(self, key_id: str) -> jwt.PyJWK:
        now = self._clock()
        if key_id not in self._keys and now - self._fetched_at > REFETCH_COOLDOWN:
            await self._fetch_keys(now)
        try:
            return self._keys[key_id]
        except KeyError:
            raise Unauthenticated from None

    async def _fetch_keys(self, now: float) -> None:
        """Keeps the keys it has when the issuer does not answer: tokens stay good while it is down."""
        async with self._fetching:
            if self._fetched_at >= now:
                return
            try:
                published = jwt.PyJWKSet.from_json((await self._key_source()).decode())
                self._keys = {key.key_id: key for key in published.keys if key.key_id}
            except (Unavailable, ValueError, jwt.PyJWTError) as error:
                logger.warning("signing keys could not be fetched", extra={"error": repr(error)})
                if not self._keys:
                    raise Unavailable("Tokens cannot be verified at the moment") from error
            self._fetched_at = self._clock()


def bearer_token(authorization: str | None) -> str:
    """The token of an ``Authorization`` header (RFC 6750). Raises Unauthenticated."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()
