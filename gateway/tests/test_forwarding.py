"""Which requests the gateway sends again, in front of services of raw sockets that count."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from openmusic_gateway.asgi import Headers, HTTPScope, Received, Send
from openmusic_gateway.asgi import Sent as SentMessage
from openmusic_gateway.body import Body
from openmusic_gateway.forwarding import Forwarder
from openmusic_gateway.reply import UpstreamInterrupted
from openmusic_gateway.request import Request
from openmusic_gateway.responses import HttpError
from openmusic_gateway.routes import Route
from openmusic_gateway.service_session import MAX_HEADER_LENGTH, POOL_IDLE_TIMEOUT, service_session
from openmusic_gateway.upstreams import EJECTION_TIME, Upstream
from openmusic_kit.cli import KEEP_ALIVE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOT_HTTP = b"SSH-2.0-nothing\r\n\r\n"
TOO_LONG = b"HTTP/1.1 200 OK\r\nX-Long: %s\r\n\r\n" % (b"x" * MAX_HEADER_LENGTH)
CHANGES = ("POST", "PUT", "DELETE")


class Replica:
    """Gives these answers in turn, one to each request, and hangs up when it has none, or one that is empty."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: *(\d+)", head.lower())
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(head.split(b" ")[0] + b" " + body)
                if not (answer := self._answers.pop(0) if self._answers else b""):
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.converse, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Cut(Replica):
    """Says this to each request and hangs up."""

    def __init__(self, words: bytes) -> None:
        super().__init__()
        self._words = words

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._words)
        writer.close()


async def nothing() -> Received:
    raise AssertionError("nothing is to be received")


async def drop(_: object) -> None: ...


def request_for(method: str, headers: Headers, send: Send = drop) -> Request:
    scope: HTTPScope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": "/things",
        "raw_path": b"/things",
        "query_string": b"",
        "headers": headers,
        "client": None,
    }
    return Request(scope, dict(headers), nothing, send, Route(method, "/things", "thing"), "", "id", "10.0.0.1")


async def _refused_at() -> str:
    """An address where nobody listens any more."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()
    return url


class Asker:
    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder

    async def __call__(self, method: str, content: bytes = b"") -> int:
        """The status, whoever gave it."""
        body = Body(nothing, {}, 1_000, 1.0)
        body.buffered = content
        headers = [(b"content-length", b"%d" % len(content))]
        deadline = self._forwarder.deadline()
        try:
            reply = await self._forwarder.forward(request_for(method, headers), body, deadline)
        except HttpError as refused:
            assert refused.headers["Retry-After"] == "1"
            return refused.status
        assert await reply.read("thing", 1_000, deadline) == b"ok"
        return reply.status


@asynccontextmanager
async def asking(*replicas: str, seconds: float = 5.0) -> AsyncIterator[Asker]:
    async with service_session() as session:
        yield Asker(Forwarder(session, {"thing": Upstream.parse(",".join(replicas))}, 1.0, seconds))


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize("before", [0, 1], ids=["on a new connection", "on one that was used before"])
async def test_a_change_that_was_sent_is_never_sent_again(method: str, before: int) -> None:
    """A repeat could undo what another client did meanwhile, and a repeated DELETE would not find what it deleted."""
    replica = Replica(*[OK] * before)
    async with replica.listening() as url, asking(url) as ask:
        for _ in range(before):
            assert await ask("GET") == 200
        assert await ask(method, b"once") == 502

    assert replica.requests[before:] == [method.encode() + b" once"]
    assert replica.connections == 1


@pytest.mark.parametrize("method", ["GET", *CHANGES])
async def test_what_was_never_sent_goes_to_the_next_replica(method: str) -> None:
    replica = Replica(OK, OK)
    async with replica.listening() as url, asking(await _refused_at(), await _refused_at(), url) as ask:
        assert [await ask(method, b"x") for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("before", [0, 1])
async def test_a_get_whose_answer_never_came_is_sent_twice_and_no_more(before: int) -> None:
    replica = Replica(*[OK] * before)
    async with replica.listening() as url, asking(url) as ask:
        assert [await ask("GET") for _ in range(before + 1)] == [200] * before + [502]

    assert len(replica.requests) == before + 2


@pytest.mark.parametrize("cut", [b"", OK[:20], OK[:-2]], ids=["before", "in the headers", "before the body"])
async def test_a_get_whose_answer_was_cut_off_is_answered_by_another_replica(cut: bytes) -> None:
    whole = Replica(OK, OK)
    async with Cut(cut).listening() as first, whole.listening() as second, asking(first, second) as ask:
        assert [await ask("GET") for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("answer", [NOT_HTTP, TOO_LONG], ids=["not HTTP", "a header beyond every bound"])
@pytest.mark.parametrize("method", ["GET", *CHANGES])
async def test_an_answer_that_cannot_be_understood_is_an_answer(method: str, answer: bytes) -> None:
    replica = Replica(*[answer] * 4)
    async with replica.listening() as url, asking(url) as ask:
        assert await ask(method) == 502

    assert len(replica.requests) == 1


async def test_a_replica_that_gave_an_answer_nobody_understood_keeps_its_turn() -> None:
    odd, good = Replica(*[NOT_HTTP] * 3), Replica(*[OK] * 3)
    async with odd.listening() as first, good.listening() as second, asking(first, second) as ask:
        assert [await ask("POST") for _ in range(6)] == [502, 200] * 3


async def test_a_replica_that_hung_up_is_asked_last_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, good = Replica(), Replica(*[OK] * 9)
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    async with broken.listening() as first, good.listening() as second, asking(first, second) as ask:
        assert await ask("POST") == 502
        assert [await ask("POST") for _ in range(4)] == [200] * 4
        now += EJECTION_TIME - 0.01
        assert [await ask("POST") for _ in range(2)] == [200] * 2
        now += 0.02
        assert sorted([await ask("POST"), await ask("POST")]) == [200, 502]


async def test_all_tries_end_at_one_deadline() -> None:
    class Slow(Replica):
        async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await asyncio.sleep(0.6)
            writer.close()

    slow = Slow()
    async with slow.listening() as url, asking(url, seconds=1.0) as ask:
        assert await ask("GET") == 504, "with all the time again it would be 502, as it hangs up each time"
    assert len(slow.requests) == 2


async def test_a_pooled_connection_is_closed_by_the_gateway_and_not_by_the_service() -> None:
    assert KEEP_ALIVE >= 2 * POOL_IDLE_TIMEOUT, "else a request may meet the service's goodbye"
    async with service_session() as session:
        assert session.connector is not None
        assert session.connector._keepalive_timeout == POOL_IDLE_TIMEOUT  # type: ignore[attr-defined]  # there is no other way to ask


def test_a_replica_comes_back_after_its_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    upstream = Upstream.parse("http://a, http://b/ ,")
    upstream.mark_down("http://a")
    assert [upstream.round_robin() for _ in range(2)] == [["http://b", "http://a"]] * 2
    now += EJECTION_TIME
    assert [upstream.round_robin()[0] for _ in range(2)] == ["http://a", "http://b"]
    upstream.mark_down("http://a")
    upstream.mark_up("http://a")
    assert [upstream.round_robin()[0] for _ in range(2)] == ["http://a", "http://b"]


class Sent:
    """What a client got, until it failed."""

    def __init__(self) -> None:
        self.size = 0
        self.ended = False

    async def __call__(self, message: SentMessage) -> None:
        if message["type"] == "http.response.body":
            self.size += len(message["body"])
            self.ended = not message.get("more_body", False)


@pytest.mark.parametrize("limit", [0, 1_000, 100_000], ids=["streamed", "read a little, then streamed", "read"])
async def test_an_answer_that_breaks_off_is_never_taken_for_whole(limit: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    replica = Cut(head + b"".join(b"3e8\r\n%s\r\n" % (b"x" * 1_000) for _ in range(50)))
    async with replica.listening() as url, service_session() as session:
        forwarder = Forwarder(session, {"thing": Upstream.parse(url)}, 1.0, 1.0)
        sent = Sent()
        request = request_for("GET", [], sent)
        reply = await forwarder.forward(request, Body(nothing, {}, 0, 1.0), forwarder.deadline())
        with pytest.raises((UpstreamInterrupted, HttpError)):
            if not limit or await reply.read("thing", limit, forwarder.deadline()) is None:
                await reply.stream(request)
        assert not sent.ended
