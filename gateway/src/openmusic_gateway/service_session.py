"""The HTTP client for the services: it sends each request exactly once, and accepts the longest headers they send."""

import socket

import aiohttp

from openmusic_kit.cli import KEEP_ALIVE
from openmusic_kit.edge import tags as edge
from openmusic_kit.web import paging
from openmusic_kit.web.clients import send_once

POOL_IDLE_TIMEOUT = KEEP_ALIVE / 2  # seconds; a pooled connection must be closed here, not by the service
MAX_HEADER_LENGTH = 1_024 + max(edge.MAX_HEADER_LENGTH, paging.MAX_LINK_LENGTH)  # bytes, including its name
TCP_USER_TIMEOUT = 4  # seconds that sent data may stay unacknowledged before the kernel drops the connection
KEEPALIVE_INTERVAL = 1  # seconds between unacknowledged probes of an idle connection
KEEPALIVE_COUNT = 3  # unacknowledged probes before the kernel drops the connection
KEEPALIVE_IDLE = TCP_USER_TIMEOUT - KEEPALIVE_INTERVAL * KEEPALIVE_COUNT  # seconds of silence before the first probe


def service_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=POOL_IDLE_TIMEOUT, socket_factory=_keepalive_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_field_size=MAX_HEADER_LENGTH,
        middlewares=(send_once,),
    )


def _keepalive_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """The kernel drops the connection when the other machine is gone, idle or not."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1_000 * TCP_USER_TIMEOUT)
    return made
