"""Who is asking: access tokens are verified against the public keys that the issuer publishes as a JWK set."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import jwt

from openmusic_kit.errors import Unauthenticated
from openmusic_kit.identity.key_set import KeySet, KeySource
from openmusic_kit.metrics import Counts

CREDENTIAL_HEADER = "X-Service-Credential"
"""Carries what the services share, and what opens ``/internal`` routes to them."""

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type (RFC 9068), not a secret
MEMO_SIZE = 10_000  # tokens
LEEWAY = 5.0  # seconds that the clocks of issuer and verifier may be apart without a fresh token being refused
TOKEN_MAX_LENGTH = 4096
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")
"""A signature of 64 bytes has one spelling; decoders pass over padding and stray bits, so that it would have many."""

TOKEN_CHECKS = Counts(
    "openmusic_token_checks_total",
    "Access tokens by verdict: remembered (good, from memory), verified (good, by its signature), refused",
    ("outcome",),
)
TOKEN_CHECKS.expect(("remembered",), ("verified",), ("refused",))


@dataclass(frozen=True)
class _Verified:
    user_id: str
    key_id: str
    key: jwt.PyJWK
    expires_at: float


class TokenVerifier:
    """Verifies access tokens; a verdict is remembered until the token expires or its key is withdrawn."""

    def __init__(
        self, key_source: KeySource, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.keys = KeySet(key_source)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._memo: OrderedDict[str, _Verified] = OrderedDict()

    async def verify(self, token: str) -> str:
        """The id of the user that the token speaks for. Waits at most ``key_set.MAX_WAIT`` seconds.

        Raises Unauthenticated, or Unavailable if its key is unknown and the keys cannot be fetched.
        """
        known = self._memo.get(token)
        if known and known.expires_at + LEEWAY > self._clock() and self.keys.known(known.key_id) is known.key:
            TOKEN_CHECKS.add("remembered")
            return known.user_id
        try:
            verified = await self._decode(token)
        except Unauthenticated:
            TOKEN_CHECKS.add("refused")
            raise
        TOKEN_CHECKS.add("verified")
        self._memo[token] = verified
        if len(self._memo) > MEMO_SIZE:
            self._memo.popitem(last=False)
        return verified.user_id

    async def ready(self) -> None:
        """Raises Unavailable unless signing keys are known."""
        if not self.keys:
            await self.keys.fetch()

    async def _decode(self, token: str) -> _Verified:
        if len(token) > TOKEN_MAX_LENGTH or not _TOKEN.fullmatch(token):
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE or not isinstance(key_id, str):
                raise Unauthenticated
            key = await self.keys.find(key_id)
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except (jwt.PyJWTError, UnicodeError) as error:
            raise Unauthenticated from error
        return _Verified(claims["sub"], key_id, key, float(claims["exp"]))


def bearer_token(authorization: str | None) -> str:
    """The token of an ``Authorization`` header (RFC 6750). Raises Unauthenticated."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()
