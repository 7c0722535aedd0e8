"""The HTTP client that asks the services: it sends each request exactly once, and reads every header they may send."""

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from openmusic_kit import edge, paging
from openmusic_kit.cli import KEEP_ALIVE

POOLED = KEEP_ALIVE / 2  # seconds that an idle connection is kept: the service must not be the one that closes it
MAX_HEADER_LENGTH = 1_024 + max(edge.MAX_HEADER_LENGTH, paging.MAX_LINK_LENGTH)  # bytes of one, its name included


class ConnectionBroke(aiohttp.ClientError):
    """The connection ended after the request, or a part of it, was sent, and before the answer's headers had come."""


async def send_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """aiohttp repeats PUT and DELETE as well when a connection breaks, unless the error is one that it does not know.

    Whether to repeat is the forwarder's decision: the service may have carried the request out.
    """
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise  # there was no connection
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionBroke(repr(error)) from error


def service_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=POOLED),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_field_size=MAX_HEADER_LENGTH,
        middlewares=(send_once,),
    )
