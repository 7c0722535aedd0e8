"""Sends responses that have an entity tag, compressed for clients that accept it."""

from openmusic_gateway.asgi import Headers
from openmusic_gateway.compression import ENCODING, VARY, accepts_gzip
from openmusic_gateway.edge.cache import FetchedResponse
from openmusic_gateway.edge.entries import Entry
from openmusic_gateway.request import Request

CONTENT_HEADERS = frozenset({b"content-type", b"content-length", b"content-encoding"})
_OF_ONE_ENCODING = frozenset({b"content-length", b"etag"})
FROM_CACHE = (b"x-data-source", b"cache")


async def send_cached(request: Request, entry: Entry) -> int:
    return await _send(request, [*entry.headers, FROM_CACHE], entry)


async def send_fetched(request: Request, response: FetchedResponse) -> int:
    return await _send(request, [*response.headers, (b"etag", response.etag)], response)


async def _send(request: Request, headers: Headers, content: Entry | FetchedResponse) -> int:
    """304 without a body if the client has this version already, in this encoding. Returns the status."""
    body, etag = content.body, content.etag
    if content.compressed is not None:
        if accepts_gzip(request.headers) and (packed := content.compressed.content()):
            body, etag = packed, etag[:-1] + b'-gzip"'
            headers = [header for header in headers if header[0] not in _OF_ONE_ENCODING]
            headers += [ENCODING, (b"content-length", b"%d" % len(body)), (b"etag", etag)]
        headers.append(VARY)
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
