"""Runs an ASGI application for a test, in its process or behind a real server."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import uvicorn

from openmusic_testkit.waiting import eventually, wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def run_app(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Starts what belongs to the application, and gives a client that calls it without a socket."""
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[int]:
    """Behind uvicorn, in the loop of the test. Gives the port. ``options`` are those of ``uvicorn.Config``."""
    usual = {"port": 0, "lifespan": "off", "log_level": "critical"}
    server = uvicorn.Server(uvicorn.Config(app, **{**usual, **options}))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started or task.done())
    assert server.started, "it does not start"
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@contextmanager
def serving_in_thread(app: Any, port: int) -> Iterator[uvicorn.Server]:
    """Behind uvicorn, for tests that run no event loop."""
    config = uvicorn.Config(app, port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 60)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(timeout=5)


async def ask(port: int, *pieces: bytes, pause: float = 0.0, within: float = 60.0) -> bytes:
    """All that is answered to these pieces, ``pause`` seconds after each other, until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)
    try:
        async with asyncio.timeout(within):
            return await reader.read()
    finally:
        writer.close()
