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
# On every answer: nothing here is a page, so a browser should run, frame, guess and tell nothing.
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
# Ours; the server that runs the gateway adds the date. The edge cache's are not for clients.
_SET_HERE = frozenset(
    {b"date", b"server", b"x-request-id", b"cache-tag", b"cache-purge", *(name for name, _ in SECURITY)}
)


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


def to_service(scope: dict[str, Any], request_id: str, address: str) -> CIMultiDict[str]:
    """The headers of the request as the service gets them; ``address`` is the client's."""
    raw = scope["headers"]
    dropped = _HOP_BY_HOP | _FORGEABLE | _named_in_connection(raw)
    passed: CIMultiDict[str] = CIMultiDict()
    for name, value in raw:
        if name not in dropped and not name.startswith(b"x-openmusic-"):
            passed.add(name.decode("latin-1"), _text(value))
        elif name == b"host":
            passed["X-Forwarded-Host"] = _text(value)
    passed["X-Forwarded-For"] = address
    passed["X-Forwarded-Proto"] = scope.get("scheme", "http")
    passed["X-Request-ID"] = request_id
    return passed


def to_client(raw: Raw) -> list[tuple[bytes, bytes]]:
    """The headers of the answer as the client gets them, but for the request's id."""
    raw = [(name.lower(), value) for name, value in raw]
    dropped = _HOP_BY_HOP | _named_in_connection(raw) | _SET_HERE
    passed = [(name, value) for name, value in raw if name not in dropped]
    passed += SECURITY
    return passed


def adding(send: Any, more: list[tuple[bytes, bytes]]) -> Any:
    """Sends what it is given, with more headers on every answer."""

    async def send_with_more(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return send_with_more
