"""The HTTP client that asks the services: it sends each request exactly once, and reads every header they may send."""

import socket

import aiohttp

from openmusic_kit import edge
from openmusic_kit.cli import KEEP_ALIVE
from openmusic_kit.web import paging
from openmusic_kit.web.clients import send_once

POOLED = KEEP_ALIVE / 2  # seconds that an idle connection is kept: the service must not be the one that closes it
MAX_HEADER_LENGTH = 1_024 + max(edge.MAX_HEADER_LENGTH, paging.MAX_LINK_LENGTH)  # bytes of one, its name included
UNHEARD = 4  # seconds that what was sent may stay unacknowledged: then the service's machine is gone
KEEPALIVE_INTERVAL = 1  # seconds between probes of an idle connection that are not answered
KEEPALIVE_COUNT = 3  # such probes
KEEPALIVE_IDLE = UNHEARD - KEEPALIVE_INTERVAL * KEEPALIVE_COUNT  # seconds of silence before the first


def service_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=POOLED, socket_factory=_watched_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_field_size=MAX_HEADER_LENGTH,
        middlewares=(send_once,),
    )


def _watched_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """The kernel closes it when the other machine is not heard of any more, whether a request waits on it or none."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1_000 * UNHEARD)
    return made
