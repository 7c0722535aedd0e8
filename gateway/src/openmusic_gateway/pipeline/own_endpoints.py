"""What the gateway serves itself: its health, the documents of the API and of the events, and pages for people."""

import gzip
from importlib import resources

from openmusic_gateway.asgi import Headers, Send, send_response
from openmusic_gateway.compression import accepts_gzip
from openmusic_gateway.reference import PAGE_SECURITY, Reference, home_page, state, wants_html
from openmusic_gateway.responses import RETRY_SOON, send_json
from openmusic_gateway.routes import Route
from openmusic_kit.version import VERSION
from openmusic_kit.web.health import Health

DOCUMENTS = ("/openapi.json", "/asyncapi.json")
LINKS = {
    "reference": "/docs",
    "openapi": "/openapi.json",
    "asyncapi": "/asyncapi.json",
    "health": "/health/ready",
    "version": "/version",
}


class OwnEndpoints:
    def __init__(self, health: Health) -> None:
        self._health = health
        files = resources.files("openmusic_gateway")
        contents = {path: files.joinpath(path.removeprefix("/")).read_bytes() for path in DOCUMENTS}
        self._documents = {path: (content, gzip.compress(content, mtime=0)) for path, content in contents.items()}
        self._reference = Reference()

    async def respond(self, route: Route, path: str, headers: dict[bytes, bytes], send: Send, request_id: str) -> int:
        match route.pattern:
            case "/":
                return await self._send_home(headers, send, request_id)
            case "/version":
                data = {"name": "OpenMusic", "version": VERSION}
                return await send_json(send, request_id, 200, {"status": "success", "data": data})
            case document if document in self._documents:
                return await self._send_document(document, headers, send, request_id)
            case "/health/live":
                return await send_json(send, request_id, 200, {"status": "success", "message": "alive"})
            case "/health/ready":
                return await self._send_health(send, request_id)
            case _:
                status, file_headers, content = self._reference.respond(path, headers)
                return await _send_page(send, request_id, status, file_headers, content)

    async def _send_document(self, path: str, headers: dict[bytes, bytes], send: Send, request_id: str) -> int:
        plain, packed = self._documents[path]
        varies = {"Vary": "Accept-Encoding"}
        if accepts_gzip(headers):
            return await send_json(send, request_id, 200, packed, {**varies, "Content-Encoding": "gzip"})
        return await send_json(send, request_id, 200, plain, varies)

    async def _send_home(self, headers: dict[bytes, bytes], send: Send, request_id: str) -> int:
        report = await self._health.report()
        if wants_html(headers):
            page_headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
            return await _send_page(send, request_id, 200, page_headers, home_page(report))
        data = {
            "name": "OpenMusic",
            "version": VERSION,
            "state": state(report),
            "unavailable": report.missing,
            "links": LINKS,
        }
        return await send_json(send, request_id, 200, {"status": "success", "data": data}, {"Vary": "Accept"})

    async def _send_health(self, send: Send, request_id: str) -> int:
        report = await self._health.report()
        data = {"dependencies": report.dependencies}
        if report.ready:
            return await send_json(send, request_id, 200, {"status": "success", "data": data})
        body = {"status": "error", "message": f"Not ready: {', '.join(report.missing)} missing", "data": data}
        return await send_json(send, request_id, 503, body, RETRY_SOON)


async def _send_page(send: Send, request_id: str, status: int, headers: Headers, content: bytes) -> int:
    own = [*headers, (b"x-request-id", request_id.encode()), *PAGE_SECURITY]
    if status != 304:
        own.append((b"content-length", b"%d" % len(content)))
    await send_response(send, status, own, content)
    return status
