"""The parts of ASGI 3 that the gateway uses, with types (asgi.readthedocs.io)."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, NotRequired, TypedDict

Headers = list[tuple[bytes, bytes]]


class HTTPScope(TypedDict):
    type: Literal["http"]
    http_version: str
    scheme: str
    method: str
    path: str
    raw_path: bytes
    query_string: bytes
    headers: Headers
    client: tuple[str, int] | None


class LifespanScope(TypedDict):
    type: Literal["lifespan"]


class RequestBody(TypedDict):
    type: Literal["http.request"]
    body: NotRequired[bytes]
    more_body: NotRequired[bool]


class ResponseStart(TypedDict):
    type: Literal["http.response.start"]
    status: int
    headers: Headers


class ResponseBody(TypedDict):
    type: Literal["http.response.body"]
    body: bytes
    more_body: NotRequired[bool]


class Event(TypedDict):
    """A message without content."""

    type: Literal[
        "http.disconnect",
        "lifespan.startup",
        "lifespan.startup.complete",
        "lifespan.shutdown",
        "lifespan.shutdown.complete",
    ]


Scope = HTTPScope | LifespanScope
Received = RequestBody | Event
Sent = ResponseStart | ResponseBody | Event
Receive = Callable[[], Awaitable[Received]]
Send = Callable[[Sent], Awaitable[None]]
HTTPApp = Callable[[HTTPScope, Receive, Send], Awaitable[None]]


class LifespanApp:
    """Opens an application when the server starts and closes it when the server stops; in between it serves HTTP."""

    def __init__(self, opened: AbstractAsyncContextManager[HTTPApp]) -> None:
        self._opened = opened
        self._app: HTTPApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)
        else:
            await receive()
            async with self._opened as self._app:
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})


async def send_response(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
