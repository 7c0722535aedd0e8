"""Which web pages of other origins may read answers (CORS, fetch.spec.whatwg.org); by default none.

Cookies are not used, so what CORS calls credentials is never allowed; a page sends its token in ``Authorization``.
"""

import re
from collections.abc import Iterable
from typing import Any

from openmusic_gateway.headers import SECURITY

ANY = "*"
ALLOWED_HEADERS = b"authorization, content-type, if-none-match, x-request-id"
EXPOSED_HEADERS = (
    b"etag, link, ratelimit, ratelimit-limit, ratelimit-policy, ratelimit-remaining, ratelimit-reset, "
    b"retry-after, x-data-source, x-request-id"
)
MAX_AGE = b"600"  # seconds that a browser remembers a preflight
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.:\[\]-]+")


def origins(setting: str) -> list[str]:
    """The comma-separated origins, such as ``https://music.example:8443``, or ``*``. Raises ValueError for others."""
    found = [each.strip() for each in setting.split(",") if each.strip()]
    for each in found:
        if each != ANY and not _ORIGIN.fullmatch(each):
            raise ValueError(f"{each} is not an origin: scheme://host[:port], in lower case, without a path")
    return found


class Cors:
    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = {each.encode() for each in allowed}
        self._any = ANY.encode() in self._allowed

    def headers(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """What an answer to a page of that origin has beside its other headers; None is a client that is no page."""
        if self._any:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED_HEADERS)]
        if not self._allowed:
            return []
        varies = (b"vary", b"Origin")
        if origin not in self._allowed:
            return [varies]
        exposed = (b"access-control-expose-headers", EXPOSED_HEADERS)
        return [(b"access-control-allow-origin", origin), exposed, varies]

    def is_preflight(self, given: dict[bytes, bytes]) -> bool:
        """Whether it is a browser that asks for the options, for a page that may read answers."""
        if b"access-control-request-method" not in given:
            return False
        return self._any or given.get(b"origin") in self._allowed


async def send_preflight(send: Any, methods: Iterable[str], request_id: str) -> int:
    raw = [
        (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", MAX_AGE),
        (b"x-request-id", request_id.encode()),
        *SECURITY,
    ]
    await send({"type": "http.response.start", "status": 204, "headers": raw})
    await send({"type": "http.response.body", "body": b""})
    return 204
