"""Behind a proxy of TCP, the first line of a connection says whose it is."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from openmusic_kit.web.protocol import bounded
from openmusic_testkit.serving import ask as raw_ask
from openmusic_testkit.serving import serving

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CLIENT = b"PROXY TCP4 203.0.113.7 172.27.0.2 50123 5000\r\n"
LONGEST = b"PROXY UNKNOWN ffff:" + b"f" * (105 - 19)


async def _whose(scope: Any, receive: Any, send: Any) -> None:
    """Answers whose connection it is."""
    del receive
    answer = b"<%s>" % scope["client"][0].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(_whose, http=bounded(1000, 0.5, announced=True)) as port:
        yield port


ask = partial(raw_ask, pause=0.01, within=20.0)  # the pieces arrive one by one


@pytest.mark.parametrize("cut", range(len(CLIENT) + 1))
async def test_the_line_is_understood_wherever_it_is_cut(port: int, cut: int) -> None:
    whole = CLIENT + LAST
    assert (await ask(port, whole[:cut], whole[cut:])).endswith(b"<203.0.113.7>")


async def test_it_holds_for_every_request_of_the_connection(port: int) -> None:
    answer = await ask(port, CLIENT + REQUEST + REQUEST, LAST)
    assert answer.count(b"<203.0.113.7>") == 3


@pytest.mark.parametrize(
    ("line", "client"),
    [
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 50123 5000\r\n", b"<2001:db8::7>"),
        (b"PROXY UNKNOWN\r\n", b"<127.0.0.1>"),
        (LONGEST + b"\r\n", b"<127.0.0.1>"),
        (b"", b"<127.0.0.1>"),
    ],
)
async def test_who_says_nothing_of_a_client_is_one(port: int, line: bytes, client: bytes) -> None:
    assert (await ask(port, line + LAST)).endswith(client)


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 somebody 172.27.0.2 50123 5000\r\n",
        b"PROXY TCP4 203.0.113.7 172.27.0.2 many 5000\r\n",
        b"PROXY TCP4 203.0.113.7\r\n",
        b"PROXY UDP4 203.0.113.7 172.27.0.2 50123 5000\r\n",
        b"PROXY \xff\r\n",
        LONGEST + b"f\r\n",
        LONGEST + b"f" * 10_000,
    ],
)
async def test_a_line_that_says_something_else_is_refused(port: int, line: bytes) -> None:
    assert (await ask(port, line + LAST)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("line", [b"", b"PRO", b"PROXY TCP4 203.0.113.7 "])
async def test_who_does_not_finish_the_line_is_sent_away(port: int, line: bytes) -> None:
    assert (await ask(port, line)).startswith(b"HTTP/1.1 408 ")


async def test_nobody_is_believed_unless_that_is_set() -> None:
    async with serving(_whose, http=bounded(1000, 0.5)) as port:
        assert (await ask(port, CLIENT + LAST)).startswith(b"HTTP/1.1 400 ")
