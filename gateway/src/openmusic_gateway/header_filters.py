"""Which headers pass through the gateway, and which it sets itself."""

from collections.abc import Iterable

from multidict import CIMultiDict

from openmusic_gateway.asgi import Headers, Send, Sent
from openmusic_gateway.compression import without_encoding
from openmusic_gateway.request import Request

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
# Only the gateway may set these; a client could forge them.
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
_CONDITIONS = frozenset({b"if-match", b"if-none-match"})
# On every response. None is a web page, so a browser must not run, frame or sniff it, nor send a referrer.
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
# Set by the gateway, or by its server (the date), or meant for the edge cache only.
_NOT_FROM_SERVICES = frozenset(
    {b"date", b"server", b"x-request-id", b"cache-tag", b"cache-purge", b"cache-lift", *(name for name, _ in SECURITY)}
)


def to_service(request: Request) -> CIMultiDict[str]:
    """The headers with which a request goes to its service."""
    raw = request.scope["headers"]
    dropped = _HOP_BY_HOP | _FORGEABLE | _named_in_connection(raw)
    passed: CIMultiDict[str] = CIMultiDict()
    for name, value in raw:
        if name not in dropped and not name.startswith(b"x-openmusic-"):
            passed.add(name.decode("latin-1"), _text(without_encoding(value) if name in _CONDITIONS else value))
        elif name == b"host":
            passed["X-Forwarded-Host"] = _text(value)
    passed["X-Forwarded-For"] = request.address
    passed["X-Forwarded-Proto"] = request.scope["scheme"]
    passed["X-Request-ID"] = request.id
    return passed


def to_client(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers with which a service's response goes to the client, except for the request's id."""
    raw = [(name.lower(), value) for name, value in raw]
    dropped = _HOP_BY_HOP | _named_in_connection(raw) | _NOT_FROM_SERVICES
    return [*((name, value) for name, value in raw if name not in dropped), *SECURITY]


def adding(send: Send, extra: Headers) -> Send:
    """A ``send`` that adds these headers to the response."""

    async def send_with_extra(message: Sent) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return send_with_extra


def _named_in_connection(headers: Headers) -> set[bytes]:
    return {part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")}


def _text(value: bytes) -> str:
    """aiohttp encodes as UTF-8: UTF-8 reaches the service unchanged, and ISO 8859-1 reaches it as UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
