"""The web side that every service has in common: request ids, the error shape, authentication, health routes."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openmusic_kit import errors
from openmusic_kit.context import new_request_id, request_id
from openmusic_kit.edge.answers import PurgeHeader
from openmusic_kit.identity.token_verifier import CREDENTIAL_HEADER, bearer_token
from openmusic_kit.settings import ServiceSettings
from openmusic_kit.web import openapi
from openmusic_kit.web.access_log import AccessLog
from openmusic_kit.web.health import Health

if TYPE_CHECKING:  # not every service has a cache, and its client is six megabytes
    from openmusic_kit.cache.cache import Cached

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"
HANDLING_TIME = 10.0  # seconds until a route gives up; the gateway waits longer, by UPSTREAM_TIMEOUT
_GIVEN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ServiceApp(FastAPI):
    """Serves a document that names every answer."""

    def openapi(self) -> openapi.Document:
        if self.openapi_schema is None:
            self.openapi_schema = openapi.completed(super().openapi())
        return self.openapi_schema


def create_service_app(
    name: str,
    settings: ServiceSettings,
    *,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    routers: Iterable[APIRouter],
    health: Callable[[FastAPI], Health],
) -> FastAPI:
    """A FastAPI application that answers in the one shape. ``health`` is asked once the lifespan has begun."""
    app = ServiceApp(
        title=f"OpenMusic {name}",
        version="3.0.0",
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service_credential = settings.service_credential
    for router in routers:
        app.include_router(router)
    app.include_router(_health_router(health))
    app.add_middleware(PurgeHeader)
    app.add_middleware(BodyLimit, limit=settings.body_limit)
    app.add_middleware(RequestContext, service=name)
    app.add_exception_handler(errors.ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    return app


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    word = "fail" if status < 500 else "error"
    return JSONResponse({"status": word, "message": message}, status, headers)


def cacheable_answer(cached: Cached, headers: Mapping[str, str]) -> Response:
    """Sends the bytes as they are, and tells whether they came from a cache."""
    source = {"X-Data-Source": "cache"} if cached.hit else {}
    return Response(cached.value, media_type="application/json", headers={**headers, **source})


async def _on_service_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ServiceError)  # noqa: S101 - registered for this class only
    status = openapi.status_of(type(error))
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return failure(status, error.message, headers)


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    return failure(400, "; ".join(dict.fromkeys(_describe(problem) for problem in error.errors())))


def _describe(problem: Any) -> str:
    """One validation problem as ``field: what is wrong``; the input itself is not repeated."""
    if problem["type"] == "json_invalid":
        return "The body is not valid JSON"
    if problem["loc"] == ("body",):
        return "The body must be a JSON object, sent as application/json"
    field = ".".join(str(part) for part in problem["loc"][1:])
    return f"{field}: {problem['msg'].removeprefix('Value error, ')}"


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return failure(error.status_code, str(error.detail) or "Error", dict(error.headers or {}))


class TimedRoute(APIRoute):
    """Answers within HANDLING_TIME: what a client has given up on is not carried out long after."""

    def get_route_handler(self) -> Handler:
        return _in_time(super().get_route_handler())


class ProtectedRoute(APIRoute):
    """Knows who is asking before it looks at the body, so that 401 comes before 400. Answers within HANDLING_TIME."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def authenticated(request: Request) -> Response:
            token = bearer_token(request.headers.get("authorization"))
            request.state.user_id = await request.app.state.token_verifier.verify(token)
            return await handle(request)

        return _in_time(authenticated)


class InternalRoute(APIRoute):
    """Serves other services only: demands the credential that they share. Answers within HANDLING_TIME."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def trusted(request: Request) -> Response:
            expected = request.app.state.service_credential.get_secret_value()
            given = request.headers.get(CREDENTIAL_HEADER, "")
            if not hmac.compare_digest(given.encode(), expected.encode()):
                raise errors.Unauthenticated("This route serves other services only")
            return await handle(request)

        return _in_time(trusted)


def _in_time(handle: Handler) -> Handler:
    async def timed(request: Request) -> Response:
        try:
            async with asyncio.timeout(HANDLING_TIME):
                return await handle(request)
        except TimeoutError as error:
            raise errors.Unavailable("This took too long") from error

    return timed


_BEARER = HTTPBearer(bearerFormat="JWT", scheme_name="accessToken", auto_error=False)


async def _current_user(request: Request, _: Annotated[object, Depends(_BEARER)]) -> str:
    user_id: str = request.state.user_id
    return user_id


CurrentUser = Annotated[str, Depends(_current_user)]
"""The id of the user who asks; for routes of class :class:`ProtectedRoute`."""


def _health_router(health: Callable[[FastAPI], Health]) -> APIRouter:
    router = APIRouter(prefix="/health", include_in_schema=False)

    @router.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "success", "message": "alive"}

    @router.get("/ready")
    async def ready(request: Request) -> Response:
        report = await health(request.app).report()
        if report.ready:
            return JSONResponse({"status": "success", "data": {"dependencies": report.dependencies}})
        message = f"Not ready: {', '.join(report.missing)} missing"
        body = {"status": "error", "message": message, "data": {"dependencies": report.dependencies}}
        return JSONResponse(body, 503, {"Retry-After": "1"})

    return router


class BodyLimit:
    """Refuses bodies over ``limit`` bytes, whether their length was announced or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413, errors.TooLarge.message)
            return message

        await self._app(scope, limited, send)


class RequestContext:
    """Gives every request its id, logs it, and turns what nobody caught into a 500 of the right shape."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    @cached_property
    def _access_log(self) -> AccessLog:
        return AccessLog(self._service, asyncio.get_running_loop().call_later, sys.stdout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            self._access_log.flush()
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id.set(given if _GIVEN_REQUEST_ID.fullmatch(given) else new_request_id())
        started = time.perf_counter()
        status = 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id.get()
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        except Exception:
            logger.exception("unexpected error", extra={"method": scope["method"], "path": scope["path"]})
            if status:
                raise
            await failure(500, "Something went wrong on our side")(scope, receive, tagged)
        finally:
            if logger.isEnabledFor(logging.DEBUG if scope["path"].startswith("/health/") else logging.INFO):
                seconds = time.perf_counter() - started
                self._access_log.add(scope["method"], scope["path"], status, seconds, request_id.get())
