"""Access tokens for tests, and the keys that verify them."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

LIFETIME = 600  # seconds


def generate_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def public_jwk(kid: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The public half, as it is published."""
    return {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "EdDSA"}


@dataclass
class TokenIssuer:
    """Signs tokens as the auth service does, with the first key unless told otherwise, and publishes its keys."""

    issuer: str = "openmusic-auth"
    audience: str = "openmusic"
    subject: str = "user-1"
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=lambda: {"test": generate_key()})
    fetches: int = 0
    """How often the keys were asked for."""

    @property
    def kid(self) -> str:
        return next(iter(self.keys))

    @property
    def key(self) -> Ed25519PrivateKey:
        return self.keys[self.kid]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token. A claim that is None is left out."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": self.audience, "sub": self.subject, "iat": now, "exp": now + LIFETIME}
        return _present(good | changes)

    def header(self, **changes: Any) -> dict[str, Any]:
        """That of a good token. A field that is None is left out."""
        return _present({"kid": self.kid, "typ": "at+jwt"} | changes)

    def token(self, kid: str | None = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        kid = kid or self.kid
        return jwt.encode(
            self.claims(**claims), self.keys[kid], "EdDSA", headers=self.header(**{"kid": kid, **(header or {})})
        )

    def bearer(self, user_id: str) -> dict[str, str]:
        """The headers of a request by that user."""
        return {"Authorization": f"Bearer {self.token(sub=user_id)}"}

    def key_set(self) -> bytes:
        """The document of ``/.well-known/jwks.json``."""
        return json.dumps({"keys": [public_jwk(kid, key) for kid, key in self.keys.items()]}).encode()

    async def publish(self) -> bytes:
        """The key set, for a verifier in the same process."""
        self.fetches += 1
        return self.key_set()


@dataclass(frozen=True)
class OneUser:
    """A verifier that knows one token: ``good`` belongs to ``user-1``. Any other raises ``refused``."""

    refused: type[Exception]

    async def verify(self, token: str) -> str:
        if token != "good":
            raise self.refused
        return "user-1"


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
