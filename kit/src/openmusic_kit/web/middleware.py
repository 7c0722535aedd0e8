"""ASGI middlewares of every service: bounded bodies, request ids, the access log, and 500 for what nobody caught."""

import asyncio
import logging
import re
import sys
import time
from collections.abc import Mapping
from functools import cached_property

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openmusic_kit import errors
from openmusic_kit.context import new_request_id, request_id
from openmusic_kit.metrics import HTTP_REQUESTS, NO_ROUTE
from openmusic_kit.web.access_log import AccessLog
from openmusic_kit.web.failures import Failure
from openmusic_kit.web.responses import failure

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"
_GIVEN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class BodyLimit:
    """Refuses bodies over ``limit`` bytes, or over that of their path, whether their length was announced or not."""

    def __init__(self, app: ASGIApp, limit: int, limit_of_path: Mapping[str, int]) -> None:
        self._app = app
        self._limit = limit
        self._limit_of_path = limit_of_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0
        limit = self._limit_of_path.get(scope["path"], self._limit)

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"{errors.TooLarge.message}: at most {limit} bytes")
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
            failed = Failure(500, "Something went wrong on our side")
            await failure(failed, Headers(scope=scope))(scope, receive, tagged)
        finally:
            seconds = time.perf_counter() - started
            if (route := scope.get("route")) is None:
                HTTP_REQUESTS.add(seconds, NO_ROUTE, NO_ROUTE, status)
            else:
                HTTP_REQUESTS.add(seconds, scope["method"], route.path, status)
            if logger.isEnabledFor(logging.DEBUG if scope["path"].startswith("/health/") else logging.INFO):
                self._access_log.add(scope["method"], scope["path"], status, seconds, request_id.get())
