"""The kinds of routes: for everyone, for users, and for other services. Each answers within HANDLING_TIME."""

import asyncio
import hmac
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase

from openmusic_kit import errors
from openmusic_kit.idempotency.keys import HEADER, RequestKey, serving
from openmusic_kit.identity.token_verifier import CREDENTIAL_HEADER, bearer_token
from openmusic_kit.web.compiled import Handler, compile_endpoint, read_body
from openmusic_kit.web.openapi import is_repeatable

HANDLING_TIME = 10.0  # seconds until a route gives up; the gateway waits longer, by UPSTREAM_TIMEOUT
MAX_UPLOADS = 8  # for each route; their bodies are in memory


class TimedRoute(APIRoute):
    """Answers within HANDLING_TIME: what a client has given up on is not carried out long after."""

    def get_route_handler(self) -> Handler:
        return _in_time(self.authorized(self._handler()))

    def authorized(self, handle: Handler) -> Handler:
        """The handler for those who may use the route; here, everyone."""
        return handle

    def _handler(self) -> Handler:
        handle = self._endpoint_handler()
        return _keyed(handle) if is_repeatable(self.openapi_extra or {}) else handle

    def _endpoint_handler(self) -> Handler:
        handle = super().get_route_handler()
        if hasattr(self, "app"):  # a router that includes this one asks again, and may add what only FastAPI knows
            return handle
        return compile_endpoint(self, handle)


class ProtectedRoute(TimedRoute):
    """Knows who is asking before it looks at the body, so that 401 comes before 400."""

    def authorized(self, handle: Handler) -> Handler:
        async def authenticated(request: Request) -> Response:
            token = bearer_token(request.headers.get("authorization"))
            request.state.user_id = await request.app.state.token_verifier.verify(token)
            return await handle(request)

        return authenticated


class UploadRoute(ProtectedRoute):
    """Takes large bodies, MAX_UPLOADS at once. Its time begins when a body is there: the gateway bounds the sending."""

    def get_route_handler(self) -> Handler:
        handle, uploads = _in_time(self._handler()), asyncio.Semaphore(MAX_UPLOADS)

        async def received(request: Request) -> Response:
            if uploads.locked():
                raise errors.Unavailable("Too many large requests are under way")
            async with uploads:
                await read_body(request)
                return await handle(request)

        return self.authorized(received)


class InternalRoute(TimedRoute):
    """Serves other services only: demands the credential that they share."""

    def authorized(self, handle: Handler) -> Handler:
        async def trusted(request: Request) -> Response:
            expected = request.app.state.service_credential.get_secret_value()
            given = request.headers.get(CREDENTIAL_HEADER, "")
            if not hmac.compare_digest(given.encode(), expected.encode()):
                raise errors.Unauthenticated("This route serves other services only")
            return await handle(request)

        return trusted


def _keyed(handle: Handler) -> Handler:
    """Lets the request have a key: that of its user, or of its address where users are not known."""

    async def keyed(request: Request) -> Response:
        keys = request.headers.getlist(HEADER)
        if not keys:
            return await handle(request)
        client = getattr(request.state, "user_id", None) or request.headers.get("x-forwarded-for", "")
        line = f"{request.method} {request.url.path}?{request.url.query}\n"
        with serving(RequestKey.of(keys, client, line.encode() + await read_body(request))):
            return await handle(request)

    return keyed


def _in_time(handle: Handler) -> Handler:
    async def timed(request: Request) -> Response:
        try:
            async with asyncio.timeout(HANDLING_TIME):
                return await handle(request)
        except TimeoutError as error:
            raise errors.Unavailable(f"This took longer than {HANDLING_TIME:g} s") from error

    return timed


class _AccessToken(SecurityBase):
    """Gives the user whom :class:`ProtectedRoute` has found; for the document, a bearer token."""

    model = HTTPBearer(bearerFormat="JWT")
    scheme_name = "accessToken"

    async def __call__(self, request: Request) -> str:
        user_id: str = request.state.user_id
        return user_id


CurrentUser = Annotated[str, Depends(_AccessToken())]
"""The id of the user who asks; for routes of class :class:`ProtectedRoute`."""
