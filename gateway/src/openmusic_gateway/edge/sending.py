"""Sends responses that have an entity tag, compressed for clients that accept it."""

from openmusic_gateway import header_filters
from openmusic_gateway.asgi import Headers, send_response
from openmusic_gateway.compression import ENCODING, VARY, accepts_gzip, gzip_tag
from openmusic_gateway.conditions import is_not_modified
from openmusic_gateway.edge.cache import FetchedResponse
from openmusic_gateway.edge.entries import Entry
from openmusic_gateway.reply import Reply
from openmusic_gateway.request import Request
from openmusic_gateway.responses import HttpError

CONTENT_HEADERS = frozenset({b"content-type", b"content-length", b"content-encoding"})
_OF_ONE_ENCODING = frozenset({b"content-length", b"etag"})
FROM_CACHE = (b"x-data-source", b"cache")


async def send_cached(request: Request, entry: Entry) -> int:
    return await _send(request, [*entry.headers, FROM_CACHE], entry)


async def send_fetched(request: Request, response: FetchedResponse) -> int:
    return await _send(request, response.tagged_headers, response)


async def send_streamed(request: Request, reply: Reply) -> int:
    """Sends a response that is not kept. Its service may have given it an entity tag, and looks at no condition."""
    try:
        unchanged = reply.etag is not None and is_not_modified(request, reply.etag)
    except HttpError:
        reply.close()
        raise
    if not unchanged:
        return await reply.stream(request)
    reply.close()
    headers = [*header_filters.to_client(reply.headers), (b"x-request-id", request.id.encode())]
    return await _send_not_modified(request, headers)


async def _send(request: Request, headers: Headers, content: Entry | FetchedResponse) -> int:
    """304 without a body if the client has this version already, in this encoding. Returns the status."""
    body, etag = content.body, content.etag
    if content.compressed is not None:
        if accepts_gzip(request.headers) and (packed := content.compressed.content()):
            body, etag = packed, gzip_tag(etag)
            headers = [header for header in headers if header[0] not in _OF_ONE_ENCODING]
            headers += [ENCODING, (b"content-length", b"%d" % len(body)), (b"etag", etag)]
        headers.append(VARY)
    headers.append((b"x-request-id", request.id.encode()))
    if is_not_modified(request, etag):
        return await _send_not_modified(request, headers)
    await send_response(request.send, 200, headers, body)
    return 200


async def _send_not_modified(request: Request, headers: Headers) -> int:
    await send_response(request.send, 304, [header for header in headers if header[0] not in CONTENT_HEADERS], b"")
    return 304
