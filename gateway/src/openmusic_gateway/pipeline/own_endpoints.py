"""What the gateway serves itself: its health, and the documents of the public API and of the events."""

from importlib import resources

from openmusic_gateway.asgi import Send
from openmusic_gateway.responses import RETRY_SOON, send_json
from openmusic_gateway.routes import Route
from openmusic_kit.web.health import Health

DOCUMENTS = ("/openapi.json", "/asyncapi.json")


class OwnEndpoints:
    def __init__(self, health: Health) -> None:
        self._health = health
        files = resources.files("openmusic_gateway")
        self._documents = {path: files.joinpath(path.removeprefix("/")).read_bytes() for path in DOCUMENTS}

    async def respond(self, route: Route, send: Send, request_id: str) -> int:
        if document := self._documents.get(route.pattern):
            return await send_json(send, request_id, 200, document)
        if route.pattern == "/health/live":
            return await send_json(send, request_id, 200, {"status": "success", "message": "alive"})
        report = await self._health.report()
        data = {"dependencies": report.dependencies}
        if report.ready:
            return await send_json(send, request_id, 200, {"status": "success", "data": data})
        body = {"status": "error", "message": f"Not ready: {', '.join(report.missing)} missing", "data": data}
        return await send_json(send, request_id, 503, body, RETRY_SOON)
