"""An ASGI application behind uvicorn in the loop of the test, and a client that sends bytes as they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[int]:
    """Gives the port. ``options`` are those of ``uvicorn.Config``."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="critical", **options))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


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
