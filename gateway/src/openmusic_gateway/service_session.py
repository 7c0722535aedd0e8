"""The HTTP client that asks the services: it sends each request exactly once, and reads every header they may send."""

import aiohttp

from openmusic_kit import edge, paging
from openmusic_kit.cli import KEEP_ALIVE
from openmusic_kit.clients import send_once

POOLED = KEEP_ALIVE / 2  # seconds that an idle connection is kept: the service must not be the one that closes it
MAX_HEADER_LENGTH = 1_024 + max(edge.MAX_HEADER_LENGTH, paging.MAX_LINK_LENGTH)  # bytes of one, its name included


def service_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=POOLED),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_field_size=MAX_HEADER_LENGTH,
        middlewares=(send_once,),
    )
