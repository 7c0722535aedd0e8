import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from openmusic_kit.web.protocol import bounded
from openmusic_testkit.serving import ask, serving


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    """Answers the method, and repeats the body for /echo; does not read it for /early."""
    body, more = b"", scope["path"] != "/early"
    while more:
        message = await receive()
        body += message["body"] if scope["path"] == "/echo" else b""
        more = message["more_body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(0.1)
    answer = scope["method"].encode()[:5].ljust(5) + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serves with a limit of 1000 bytes and 0.3 seconds for a head."""
    async with serving(_hello, http=bounded(1000, 0.3)) as port:
        yield port


def _refusal(answer: bytes) -> tuple[int, dict[str, str]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_who_does_not_finish_a_head_is_sent_away(port: int, beginning: bytes) -> None:
    status, body = _refusal(await ask(port, beginning))

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
    answer = await ask(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")

    assert answer == b""


POST = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
BODIES = {
    "a length": (b"Content-Length: 5\r\n\r\nhello", b"hello"),
    "an empty body": (b"Content-Length: 0\r\n\r\n", b""),
    "no body": (b"\r\n", b""),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
}
UPGRADES = {
    "HTTP/2": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
    "websocket": b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    "several": b"Connection: upgrade\r\nUpgrade: a/1, b\r\nUpgrade: c\r\n",
}


@pytest.mark.parametrize("piece", [1, 60, 10_000])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES.keys())
async def test_a_request_for_another_protocol_is_answered_in_this_one(
    port: int, upgrade: bytes, body: tuple[bytes, bytes], piece: int
) -> None:
    sent = (POST + upgrade + body[0]) * 3 + LAST
    answer = await ask(port, *[sent[i : i + piece] for i in range(0, len(sent), piece)])

    bodies = [each.partition(b"\r\n\r\n")[2] for each in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [b"POST " + body[1]] * 3 + [b"GET  "]


@pytest.mark.parametrize("ending", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nConnection: close\r\n"])
async def test_a_last_request_for_another_protocol_is_read_whole_and_is_the_last(port: int, ending: bytes) -> None:
    head = b"POST /echo " + ending + b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n"
    answer = await ask(port, head + b"hello" + LAST)

    assert answer.endswith(b"\r\n\r\nPOST hello")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Content-Length: 5\nX: y\r\n",
        b"X: y\r\n Content-Length: 5\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused_with_an_upgrade_too(port: int, framing: bytes) -> None:
    answer = await ask(port, POST + UPGRADES["websocket"] + framing + b"\r\nhello" + LAST)

    assert _refusal(answer)[0] == 400
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_thousands_of_upgrades_at_once_are_read_in_turn(port: int) -> None:
    """Each starts a parser afresh; what comes after it is not copied."""
    one = b"GET / HTTP/1.1\r\nHost:x\r\nConnection:upgrade\r\nUpgrade:a\r\n\r\n"
    answer = await ask(port, one * 1000 + LAST)

    assert answer.count(b"HTTP/1.1 200 OK") == 1001


@pytest.mark.parametrize("target", [b"x:80", b"http://x/echo", b"/echo"])
async def test_there_are_no_tunnels(port: int, target: bytes) -> None:
    answer = await ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)

    assert _refusal(answer)[0] == 400


EXPECT = b"Expect: 100-Continue \r\n"


async def test_a_client_that_waits_before_it_sends_is_told_to(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        writer.write(POST + EXPECT + b"Content-Length: 5\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello" + LAST)
        answer = await reader.read()
    writer.close()

    assert answer.partition(b"\r\n\r\n")[2].startswith(b"POST helloHTTP/1.1 200 OK")


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_if_it_is_answered_before_the_connection_ends_since_its_next_bytes_could_be_either(
    port: int, framing: bytes
) -> None:
    answer = await ask(port, b"POST /early HTTP/1.1\r\nHost: x\r\n" + EXPECT + framing)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"POST ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /echo HTTP/1.1\r\nHost: x\r\n" + EXPECT + b"\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\n" + EXPECT + b"Content-Length: 00\r\n\r\n",
        b"POST /early HTTP/1.1\r\nHost: x\r\n" + EXPECT + b"Content-Length: 0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nhi",
    ],
)
async def test_without_a_body_to_wait_for_there_is_nothing_to_continue(port: int, request_bytes: bytes) -> None:
    answer = await ask(port, request_bytes + LAST)

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b" 100 " not in answer


async def test_http_1_0_knows_no_continue(port: int) -> None:
    answer = await ask(port, b"POST /echo HTTP/1.0\r\n" + EXPECT + b"Content-Length: 5\r\n\r\nhello")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("connection", [b"", b"Connection: close\r\n"])
async def test_an_answer_arrives_although_the_client_still_sends(port: int, connection: bytes) -> None:
    """A connection that is closed while bytes arrive is reset, and what was answered is lost with it."""
    body = b"x" * 4_000_000
    head = b"POST /early HTTP/1.1\r\nHost: x\r\n" + connection + b"Content-Length: %d\r\n\r\n" % len(body)
    answer = await ask(port, head, body, b"" if connection else LAST)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == (1 if connection else 2)


async def test_a_refusal_arrives_although_the_client_still_sends(port: int) -> None:
    answer = await ask(port, b"GET / HTTP/1.1\r\nX: " + b"x" * 1000, b"x" * 900_000)

    assert _refusal(answer)[0] == 431


@pytest.mark.parametrize("space", [b" ", b"\t", b" \t  "])
async def test_space_after_a_value_is_no_part_of_it(space: bytes) -> None:
    seen: list[Any] = []

    async def app(scope: Any, _: Any, send: Any) -> None:
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(app, http=bounded(1000)) as port:
        await ask(
            port,
            b"GET / HTTP/1.1\r\nHost: a b"
            + space
            + b"\r\nContent-Length: 0"
            + space
            + b"\r\nConnection: close\r\n\r\n",
        )

    assert dict(seen) == {b"host": b"a b", b"content-length": b"0", b"connection": b"close"}
