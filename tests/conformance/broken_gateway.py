"""A gateway that breaks one promise: it forwards to a real one, and spoils requests or responses on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from openmusic_testkit import plain_http
from openmusic_testkit.serving import free_port, serving_in_thread


@dataclass
class Exchange:
    """A request and, once it is there, its response."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    response_headers: httpx.Headers = field(default_factory=httpx.Headers)
    content: bytes = b""


class Flaw:
    """Breaks nothing; each subclass breaks one promise."""

    def on_request(self, exchange: Exchange) -> None: ...

    def on_response(self, exchange: Exchange) -> None: ...


class BrokenGateway:
    """An ASGI application."""

    def __init__(self, url: str, flaw: Flaw) -> None:
        self._url = httpx.URL(url)
        self._flaw = flaw
        self._http = plain_http.AsyncClient()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        headers.pop("accept-encoding", None)  # so that what is spoilt can be read
        exchange = Exchange(scope["method"], scope["path"], headers, await _body(receive))
        self._flaw.on_request(exchange)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        answer = await self._http.request(
            exchange.method,
            self._url.copy_with(raw_path=scope["raw_path"] + query),
            headers=exchange.headers | {"accept-encoding": "identity"},
            content=exchange.body,
        )
        exchange.status, exchange.response_headers = answer.status_code, answer.headers
        exchange.content = answer.content
        self._flaw.on_response(exchange)
        if exchange.content != answer.content:
            exchange.response_headers["content-length"] = str(len(exchange.content))
        start = {"type": "http.response.start", "status": exchange.status, "headers": exchange.response_headers.raw}
        await send(start)
        await send({"type": "http.response.body", "body": exchange.content})


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


@contextmanager
def broken_gateway(url: str, flaw: Flaw) -> Iterator[str]:
    """Its address while it runs."""
    port = free_port()
    with serving_in_thread(BrokenGateway(url, flaw), port):
        yield f"http://127.0.0.1:{port}"
