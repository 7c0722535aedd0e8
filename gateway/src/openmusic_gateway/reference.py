"""Pages for people: what runs here, and an interactive reference of the API.

The reference is Swagger UI, bundled by the package ``fastapi-swagger`` and served from here: a browser that opens it
talks to nobody else.
"""

import gzip
import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from string import Template

from openmusic_gateway.asgi import Headers
from openmusic_gateway.compression import ENCODING, VARY, accepts_gzip
from openmusic_gateway.header_filters import SECURITY
from openmusic_gateway.responses import NOT_FOUND, HttpError
from openmusic_kit.version import VERSION
from openmusic_kit.web.health import Report

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)  # Swagger UI sets styles of its own and shows images that it contains
PAGE_SECURITY: Headers = [(name, _POLICY if name == b"content-security-policy" else value) for name, value in SECURITY]
_OURS = resources.files("openmusic_gateway") / "pages"
_SWAGGER_UI = resources.files("fastapi_swagger") / "resources"
_FILES: dict[str, tuple[Traversable, str]] = {
    "/docs": (_OURS / "docs.html", "text/html; charset=utf-8"),
    "/docs/start.js": (_OURS / "start.js", "text/javascript; charset=utf-8"),
    "/docs/pages.css": (_OURS / "pages.css", "text/css; charset=utf-8"),
    "/docs/swagger-ui-bundle.js": (_SWAGGER_UI / "swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "/docs/swagger-ui.css": (_SWAGGER_UI / "swagger-ui.css", "text/css; charset=utf-8"),
    "/docs/favicon.png": (_SWAGGER_UI / "favicon-32x32.png", "image/png"),
}
_HOME = Template((_OURS / "home.html").read_text())


class Reference:
    """Keeps each file compressed once it was asked for: the largest has 1.7 MB, and 0.5 MB of them compressed."""

    def __init__(self) -> None:
        self._compressed: dict[str, tuple[bytes, bytes]] = {}

    def respond(self, path: str, request_headers: dict[bytes, bytes]) -> tuple[int, Headers, bytes]:
        """Status, headers and body: 200, or 304 if the client has it already. Raises HttpError (404)."""
        if path not in _FILES:
            raise HttpError(404, NOT_FOUND)
        content, tag = self._load(path)
        headers = [
            (b"etag", tag),
            (b"cache-control", b"no-cache"),  # ask each time: a new release has other files under the same names
            VARY,
        ]
        if tag in request_headers.get(b"if-none-match", b""):
            return 304, headers, b""
        headers.append((b"content-type", _FILES[path][1].encode()))
        if accepts_gzip(request_headers):
            return 200, [*headers, ENCODING], content
        return 200, headers, gzip.decompress(content)

    def _load(self, path: str) -> tuple[bytes, bytes]:
        if path not in self._compressed:
            content = gzip.compress(_FILES[path][0].read_bytes(), mtime=0)
            self._compressed[path] = content, b'W/"%s"' % hashlib.sha256(content).hexdigest()[:16].encode()
        return self._compressed[path]


def wants_html(request_headers: dict[bytes, bytes]) -> bool:
    return b"text/html" in request_headers.get(b"accept", b"")


def home_page(report: Report) -> bytes:
    summary = f"Unavailable: {', '.join(report.missing)}" if report.missing else "Everything works"
    return _HOME.substitute(version=VERSION, state=state(report), summary=summary).encode()


def state(report: Report) -> str:
    """``ready``, ``degraded`` if something is unavailable that most does not need, or ``down``."""
    if not report.ready:
        return "down"
    return "degraded" if report.missing else "ready"
