"""Which headers pass, and which the gateway sets itself."""

from collections.abc import Iterable
from typing import Any

from multidict import CIMultiDict

Raw = Iterable[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1: these belong to one connection.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# What a client could claim about itself; the gateway alone may say it.
_FORGEABLE = frozenset(
    {
        b"expect",
        b"forwarded",
        b"host",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
        b"x-service-credential",
        b"x-user-id",
    }
)
# Ours, on every answer; the server that runs the gateway adds the date. The edge cache's are not for clients.
_SET_HERE = frozenset({b"date", b"server", b"x-content-type-options", b"x-request-id", b"cache-tag", b"cache-purge"})


def _named_in_connection(headers: Raw) -> set[bytes]:
    names: set[bytes] = set()
    for name, value in headers:
        if name == b"connection":
            names.update(part.strip().lower() for part in value.split(b","))
    return names


def _text(value: bytes) -> str:
    """The client encodes as UTF-8, so what is UTF-8 arrives as it was sent; ISO 8859-1 arrives as UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def to_service(scope: dict[str, Any], request_id: str) -> CIMultiDict[str]:
    """The headers of the request as the service gets them."""
    raw = scope["headers"]
    dropped = _HOP_BY_HOP | _FORGEABLE | _named_in_connection(raw)
    passed: CIMultiDict[str] = CIMultiDict()
    for name, value in raw:
        if name not in dropped and not name.startswith(b"x-openmusic-"):
            passed.add(name.decode("latin-1"), _text(value))
        elif name == b"host":
            passed["X-Forwarded-Host"] = _text(value)
    client = scope.get("client")
    passed["X-Forwarded-For"] = client[0] if client else "unknown"
    passed["X-Forwarded-Proto"] = scope.get("scheme", "http")
    passed["X-Request-ID"] = request_id
    return passed


def to_client(raw: Raw) -> list[tuple[bytes, bytes]]:
    """The headers of the answer as the client gets them, but for the request's id."""
    raw = [(name.lower(), value) for name, value in raw]
    dropped = _HOP_BY_HOP | _named_in_connection(raw) | _SET_HERE
    passed = [(name, value) for name, value in raw if name not in dropped]
    passed.append((b"x-content-type-options", b"nosniff"))
    return passed
