"""Refuses headers that are too large or name no host or several, and reads the request's id."""

import re

from openmusic_gateway.asgi import Headers, HTTPScope
from openmusic_gateway.responses import HEADERS_TOO_LARGE, ONE_HOST, HttpError
from openmusic_kit.context import new_request_id

MAX_HEADERS = 100
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class HeaderCheck:
    """``limit`` is in bytes, ``hsts_age`` in seconds."""

    def __init__(self, limit: int, hsts_age: int) -> None:
        self._limit = limit
        self.on_every_response: Headers = [(b"strict-transport-security", b"max-age=%d" % hsts_age)] if hsts_age else []

    def check(self, scope: HTTPScope, headers: dict[bytes, bytes]) -> None:
        """Raises HttpError (431 or 400)."""
        raw = scope["headers"]
        size = sum(len(name) + len(value) for name, value in raw)
        if len(raw) > MAX_HEADERS or size > self._limit:
            raise HttpError(431, f"{HEADERS_TOO_LARGE}: at most {MAX_HEADERS} of them, with {self._limit} bytes")
        if b"host" not in headers:
            if scope["http_version"] != "1.0":
                raise HttpError(400, ONE_HOST)
        elif len(headers) < len(raw) and [name for name, _ in raw].count(b"host") > 1:
            raise HttpError(400, ONE_HOST)


def request_id_from(headers: dict[bytes, bytes]) -> str:
    """The client's id for the request, or a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else new_request_id()
