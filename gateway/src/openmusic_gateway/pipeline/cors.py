"""Which pages of other origins may read responses (CORS, fetch.spec.whatwg.org), and OPTIONS; by default none may.

There are no cookies, so CORS credentials are never allowed: a page sends its token in ``Authorization``.
"""

import re
from collections.abc import Iterable

from openmusic_gateway.asgi import Headers, Send
from openmusic_gateway.responses import allowed, send_empty

ANY = "*"
ALLOWED_HEADERS = b"authorization, content-type, idempotency-key, if-match, if-none-match, prefer, x-request-id"
EXPOSED_HEADERS = (
    b"etag, link, location, preference-applied, ratelimit, ratelimit-limit, ratelimit-policy, ratelimit-remaining, "
    b"ratelimit-reset, retry-after, x-data-source, x-request-id, x-total-count"
)
MAX_AGE = b"600"  # seconds that a browser caches a preflight response
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.:\[\]-]+")


def origins(setting: str) -> list[str]:
    """The comma-separated origins, such as ``https://music.example:8443``, or ``*``. Raises ValueError for others."""
    found = [each.strip() for each in setting.split(",") if each.strip()]
    for each in found:
        if each != ANY and not _ORIGIN.fullmatch(each):
            raise ValueError(f"{each} is not an origin: scheme://host[:port], in lower case, without a path")
    return found


class Cors:
    def __init__(self, allowed_origins: Iterable[str]) -> None:
        self._allowed = {each.encode() for each in allowed_origins}
        self._any = ANY.encode() in self._allowed

    def headers(self, origin: bytes | None) -> Headers:
        """What to add to a response. ``origin`` is None for a client that is not a page of another origin."""
        if not self._allowed:
            return []
        exposed = (b"access-control-expose-headers", EXPOSED_HEADERS)
        if self._any:
            return [(b"access-control-allow-origin", b"*"), exposed]
        varies = (b"vary", b"Origin")
        if origin not in self._allowed:
            return [varies]
        return [(b"access-control-allow-origin", origin), exposed, varies]

    async def send_options(
        self, send: Send, request_id: str, headers: dict[bytes, bytes], methods: Iterable[str]
    ) -> int:
        """The methods of a path; it needs no token. For the preflight of an allowed origin, in terms of CORS."""
        if not self._is_allowed_preflight(headers):
            return await send_empty(send, request_id, [(b"allow", allowed(methods).encode())])
        preflight = [
            (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", MAX_AGE),
        ]
        return await send_empty(send, request_id, preflight)

    def _is_allowed_preflight(self, headers: dict[bytes, bytes]) -> bool:
        if b"access-control-request-method" not in headers:
            return False
        return self._any or headers.get(b"origin") in self._allowed
