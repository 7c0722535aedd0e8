"""Sends responses that have an entity tag."""

from openmusic_gateway.asgi import Headers
from openmusic_gateway.edge.cache import FetchedResponse
from openmusic_gateway.edge.entries import Entry
from openmusic_gateway.request import Request

CONTENT_HEADERS = frozenset({b"content-type", b"content-length"})
FROM_CACHE = (b"x-data-source", b"cache")


async def send_cached(request: Request, entry: Entry) -> int:
    return await _send(request, [*entry.headers, FROM_CACHE], entry.body, entry.etag)


async def send_fetched(request: Request, response: FetchedResponse) -> int:
    return await _send(request, [*response.headers, (b"etag", response.etag)], response.body, response.etag)


async def _send(request: Request, headers: Headers, body: bytes, etag: bytes) -> int:
    """304 without a body if the client has this version already. Returns the status."""
    headers.append((b"x-request-id", request.id.encode()))
    status = 200
    condition = request.headers.get(b"if-none-match")
    if condition is not None and not_modified(etag, condition):
        status, body = 304, b""
        headers = [header for header in headers if header[0] not in CONTENT_HEADERS]
    await request.send({"type": "http.response.start", "status": status, "headers": headers})
    await request.send({"type": "http.response.body", "body": body})
    return status


def not_modified(etag: bytes, condition: bytes) -> bool:
    """Whether ``If-None-Match`` names this version (RFC 9110, section 13.1.2)."""
    return condition == b"*" or etag in [each.strip().removeprefix(b"W/") for each in condition.split(b",")]
