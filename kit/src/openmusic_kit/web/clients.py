"""HTTP between services: short timeouts, one more try for what may be repeated, never a hang."""

import json
import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from pydantic import BaseModel, ValidationError

from openmusic_kit.context import request_id
from openmusic_kit.edge.answers import purge_with_answer
from openmusic_kit.edge.tags import CACHE_LIFT, CACHE_PURGE
from openmusic_kit.errors import Unavailable
from openmusic_kit.identity.token_verifier import CREDENTIAL_HEADER

logger = logging.getLogger(__name__)

TIMEOUT = 2.0  # seconds for a whole exchange
CHANGE_TIMEOUT = 6.0  # seconds; a change waits for a cache that hangs, and is slower then, not lost
CONNECT_TIMEOUT = 1.0
ATTEMPTS = 2

T = TypeVar("T", bound=BaseModel)

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class ConnectionBroke(aiohttp.ClientError):
    """The connection ended after the request, or a part of it, was sent, and before the answer's headers had come."""


class _Refused(Exception):
    """The other service answered, but with a failure of its own."""


_FAILURES = (aiohttp.ClientError, OSError, TimeoutError, _Refused)


async def send_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """aiohttp repeats PUT and DELETE as well when a connection breaks, unless the error is one that it does not know.

    Whether to repeat is decided here and in the gateway: the service may have carried the request out.
    """
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise  # there was no connection
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionBroke(repr(error)) from error


@dataclass(frozen=True)
class Reply:
    """What another service said: that there is no such thing, or a JSON object."""

    found: bool
    body: bytes
    peer: str = "another service"

    def parse(self, shape: type[T]) -> T:
        """Raises Unavailable if the object has another shape: that is not the fault of who asks, nor for ever."""
        try:
            return shape.model_validate_json(self.body)
        except ValidationError as error:
            logger.error("answer makes no sense", extra={"peer": self.peer, "error": repr(error)})
            raise Unavailable(f"{self.peer} gave an answer that makes no sense") from error


class ServiceClient:
    """Calls another service's internal routes. To be entered on the event loop that uses it."""

    def __init__(self, name: str, base_url: str, credential: str) -> None:
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._credential = credential
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={CREDENTIAL_HEADER: self._credential},
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(send_once,),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> Reply:
        """The answer if it is 2xx or 404; whatever else happens, twice, is Unavailable."""
        return await self._send("GET", path, TIMEOUT, repeat_on=_FAILURES)

    async def query(self, path: str, content: Any) -> Reply:
        """Like :meth:`get`, with a JSON body: a POST that changes nothing."""
        return await self._send("POST", path, TIMEOUT, content, repeat_on=_FAILURES)

    async def put(self, path: str, content: Any) -> Reply:
        """Like :meth:`get`, but repeated only if it was never sent: a repeat could undo what another did meanwhile.

        After Unavailable it is not known whether the other side did it. What its answer purges, the answer to the
        request being served purges too.
        """
        return await self._send("PUT", path, CHANGE_TIMEOUT, content, repeat_on=_NEVER_SENT)

    async def _send(
        self, method: str, path: str, seconds: float, content: Any = None, *, repeat_on: tuple[type[Exception], ...]
    ) -> Reply:
        for left in reversed(range(ATTEMPTS)):
            try:
                return await self._exchange(method, path, seconds, content)
            except _FAILURES as error:
                if left and isinstance(error, repeat_on):
                    continue
                logger.warning("call failed", extra={"peer": self._name, "path": path, "error": repr(error)})
                raise Unavailable(f"{self._name} is not available") from error
        raise AssertionError("there is a last attempt")

    async def _exchange(self, method: str, path: str, seconds: float, content: Any) -> Reply:
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT)
        headers = {"X-Request-ID": request_id.get()}
        data = None
        if content is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(content).encode()
        async with self._session.request(
            method, self._base_url + path, data=data, headers=headers, timeout=limits, allow_redirects=False
        ) as answer:
            body = await answer.read()
        if outdated := answer.headers.get(CACHE_PURGE):
            await purge_with_answer(outdated.split(","), filter(None, answer.headers.get(CACHE_LIFT, "").split(",")))
        if answer.status >= 500:
            raise _Refused(answer.status)
        if 200 <= answer.status < 300 or answer.status == 404:
            return Reply(answer.status != 404, body, self._name)
        logger.error("unexpected answer", extra={"peer": self._name, "path": path, "status": answer.status})
        raise Unavailable(f"{self._name} refused the call")
