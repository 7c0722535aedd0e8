import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from openmusic_kit.protocol import bounded

Eventually = Callable[..., Awaitable[Any]]


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(0.1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": scope["method"].encode()[:5].ljust(5)})


@pytest.fixture
async def port(eventually: Eventually) -> AsyncIterator[int]:
    """Serves with a limit of 1000 bytes and 0.3 seconds for a head."""
    config = uvicorn.Config(_hello, port=0, http=bounded(1000, 0.3), lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def _ask(port: int, *pieces: bytes) -> bytes:
    """All that is answered to these pieces, until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def _refusal(answer: bytes) -> tuple[int, dict[str, str]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_who_does_not_finish_a_head_is_sent_away(port: int, beginning: bytes) -> None:
    status, body = _refusal(await _ask(port, beginning))

    assert (status, body["status"]) == (408, "fail")


@pytest.mark.parametrize(
    ("unfinished", "status"), [(b"GET / HTTP/1.1\r\n", 408), (b"GET / HTTP/1.1\r\nX: ".ljust(2000), 431)]
)
async def test_a_second_head_on_a_connection_has_its_time_and_limit_too(
    port: int, unfinished: bytes, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000)
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"POST ")).startswith(b"HTTP/1.1 200 ")
        writer.write(unfinished)
        answered, body = _refusal(await reader.read())
    writer.close()

    assert (answered, body["status"]) == (status, "fail")


async def test_a_large_body_and_many_requests_are_no_large_head(port: int) -> None:
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        writer.write(post + post + last[:20])
        for _ in range(2):
            await reader.readuntil(b"POST ")
        writer.write(last[20:])
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_what_comes_behind_a_request_that_is_being_answered_does_not_garble_its_answer(port: int) -> None:
    answer = await _ask(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")

    assert answer == b""
