"""Stand-ins for the services that the one under test calls."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from openmusic_testkit.tokens import TokenIssuer

CREDENTIAL = "the-shared-credential"
"""Shared by services, so that they trust each other."""


@dataclass
class FakePeer:
    """Answers at ``url`` what the test wants. A subclass holds what there is, and names its routes."""

    url: str = ""
    down: set[str] = field(default_factory=set)
    """The kinds of things that it answers 500 for."""
    asked: list[str] = field(default_factory=list)
    """The paths of all requests so far, except those for keys."""

    def routes(self) -> Iterable[web.RouteDef]:
        return ()

    def reply(self, request: web.Request, found: dict[str, Any] | None, kind: str = "") -> web.Response:
        """200 with the data, 404 when there is none, 500 while that kind is down. Requires the credential."""
        assert request.headers["X-Service-Credential"] == CREDENTIAL
        self.asked.append(request.path)
        if kind in self.down:
            return web.json_response({"status": "error", "message": "down"}, status=500)
        if found is None:
            return web.json_response({"status": "fail", "message": "Not found"}, status=404)
        return web.json_response({"status": "success", "data": found})

    def release(self) -> None:
        """Ends what a test still holds back; called before the server stops."""

    @asynccontextmanager
    async def serving(self, issuer: TokenIssuer | None = None) -> AsyncIterator[None]:
        """Listens on a free port; with an ``issuer``, publishes its keys as well."""
        routes = [*self.routes()]
        if issuer is not None:
            routes.append(web.get("/.well-known/jwks.json", _key_set_of(issuer)))
        async with serve_routes(*routes) as self.url:
            try:
                yield
            finally:
                self.release()


@asynccontextmanager
async def serve_routes(*routes: web.RouteDef) -> AsyncIterator[str]:
    """Gives the address."""
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _key_set_of(issuer: TokenIssuer) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=await issuer.publish(), content_type="application/json")

    return answer
