"""A gateway in a process of its own, in front of small services that do as the tests want."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any

import httpx
import pytest

from openmusic_testkit import plain_http
from openmusic_testkit.processes import Starter
from openmusic_testkit.serving import free_port, serving_in_thread
from openmusic_testkit.tokens import TokenIssuer
from openmusic_testkit.waiting import wait_until

ISSUER = TokenIssuer()


class Service:
    """Echoes what it got as JSON; a path may ask for something else. Also publishes the test's signing key."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.received = 0
        self.changes = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/.well-known/jwks.json":
            await _send(send, 200, ISSUER.key_set())
            return
        behaviour = scope["path"].rpartition("/")[2]
        body = b""
        size = 0
        more = True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            if size < 100_000:
                body += message.get("body", b"")
            more = message.get("more_body", False)
        self.received = size
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        echo = {
            "method": scope["method"],
            "path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode(),
            "headers": headers,
            "body": body.decode("latin-1"),
            "size": size,
        }
        self.seen.append(echo)
        await self._behave(behaviour, echo, send)

    async def _behave(self, behaviour: str, echo: dict[str, Any], send: Any) -> None:
        if behaviour == "slow":
            await asyncio.sleep(3)
        if behaviour == "broken":
            start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]}
            await send(start)
            await send({"type": "http.response.body", "body": b"x" * 10, "more_body": True})
            raise RuntimeError("breaks off in the middle of its answer")
        if behaviour == "large":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(300):
                await send({"type": "http.response.body", "body": b"y" * 1_000_000, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        if behaviour == "counted":
            await self._count(echo["method"], send)
            return
        if behaviour == "password" and "wrong" in echo["body"]:
            await _send(send, 403, b'{"status": "fail", "message": "wrong"}')
            return
        extra = [(b"connection", b"x-private"), (b"x-private", b"1"), (b"x-kept", b"2"), (b"keep-alive", b"timeout=5")]
        await _send(send, 200, json.dumps(echo).encode(), extra)

    async def _count(self, method: str, send: Any) -> None:
        """A read gives the number of changes, and may be kept at the edge."""
        headers = [(b"cache-tag", b"count:1"), (b"cache-control", b"public, no-cache")]
        if method != "GET":
            self.changes += 1
            headers = [(b"cache-purge", b"count:1")]
        await _send(send, 200, json.dumps({"changes": self.changes}).encode(), headers)


async def _send(send: Any, status: int, body: bytes, extra: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_gateways = Starter("openmusic_gateway", ["openmusic_gateway.app", "openmusic_kit.cli", "uvloop"])


@contextmanager
def gateway(**settings: Any) -> Iterator[tuple[str, int]]:
    """Its address and its process id."""
    port = free_port()
    environment = {**os.environ, "PORT": str(port), **{name.upper(): str(value) for name, value in settings.items()}}
    process = _gateways.start(["serve"], environment)
    try:
        wait_until(lambda: _answers(port), 60)  # a busy machine takes long to start a process
        assert process.pid is not None
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.join(timeout=15)
        assert process.exitcode in {0, -15}


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


@pytest.fixture(scope="session")
def start_gateway() -> Callable[..., Any]:
    return gateway


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    return serving_in_thread


@pytest.fixture(scope="session")
def unused_port() -> Callable[[], int]:
    return free_port


@pytest.fixture(scope="session")
def new_service() -> type[Service]:
    return Service


@pytest.fixture(scope="session")
def service_url() -> Iterator[tuple[Service, str]]:
    service, port = Service(), free_port()
    with serving_in_thread(service, port):
        yield service, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def url(service_url: tuple[Service, str]) -> Iterator[str]:
    everywhere = {f"{name}_url": service_url[1] for name in ("auth", "catalog", "playlist", "media", "export")}
    with gateway(**everywhere, upstream_timeout=1.0) as (address, _):
        yield address


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with plain_http.Client(base_url=url) as client:
        yield client


@pytest.fixture(scope="session")
def token_of() -> Callable[[str], str]:
    return lambda user_id: ISSUER.token(sub=user_id)


@pytest.fixture(scope="session")
def token(token_of: Callable[[str], str]) -> str:
    return token_of("user-1")
