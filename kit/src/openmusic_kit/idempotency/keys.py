"""The key of the request being served."""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from openmusic_kit.errors import Invalid

HEADER = "Idempotency-Key"
MAX_LENGTH = 255  # characters
PATTERN = rf"^[!-~]{{1,{MAX_LENGTH}}}$"


class KeyInvalid(Invalid):
    code = "idempotency_key_invalid"
    message = f"{HEADER}: must be one text of 1 to {MAX_LENGTH} visible ASCII characters"


class KeyReused(Invalid):
    code = "idempotency_key_reused"
    message = f"{HEADER}: was used for another request"


@dataclass(frozen=True)
class RequestKey:
    """``id`` names the key of that client; ``fingerprint`` tells requests apart.

    Neither gives away the key or the body, which may hold a password: the fingerprint is keyed by the key itself.
    """

    id: bytes
    fingerprint: bytes

    @classmethod
    def of(cls, keys: Sequence[str], client: str, request: bytes) -> "RequestKey":
        """Raises KeyInvalid unless there is one key, of the right form. ``request`` is all that a repeat repeats."""
        if len(keys) != 1 or not re.fullmatch(PATTERN, keys[0]):
            raise KeyInvalid
        key = keys[0].encode()
        return cls(hashlib.sha256(client.encode() + b"\0" + key).digest(), hmac.digest(key, request, "sha256"))


_current: ContextVar[RequestKey | None] = ContextVar("idempotency_key", default=None)


def current_key() -> RequestKey | None:
    """None for a request without a key."""
    return _current.get()


@contextmanager
def serving(key: RequestKey) -> Iterator[None]:
    """Makes it the key of the request being served."""
    token = _current.set(key)
    try:
        yield
    finally:
        _current.reset(token)
