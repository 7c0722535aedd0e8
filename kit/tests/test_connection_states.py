"""Every state of a connection ends, whatever its client sends or does not: by a virtual clock."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from openmusic_kit.web import protocol
from openmusic_kit.web.protocol import DRAIN_LIMIT, DRAIN_LIMIT_OF_HEAD, DRAIN_TIMEOUT, SEND_TIMEOUT, bounded
from openmusic_testkit.interleavings import World, explore, replay

HEAD, BODY, IDLE = 7.0, 11.0, 31.0  # seconds, as the connections here have it; all timers differ
LIMIT = 1000
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


class Transport:
    """The server's end of a connection. A client that does not read leaves what is written in its buffer."""

    HIGH_WATER = 1000

    def __init__(self, world: World, loop: Any) -> None:
        self.world, self.loop = world, loop
        self.protocol: Any = None
        self.written = b""
        self.buffered = 0
        self.client_reads = True
        self.reading = True
        self.half_closed_at: float | None = None
        self.lost_at: float | None = None
        self._closing = False

    def write(self, data: bytes) -> None:
        assert self.half_closed_at is None, "written after the end"
        if self._closing:
            return
        self.written += data
        if not self.client_reads:
            self.buffered += len(data)
            if self.buffered > self.HIGH_WATER:
                self.protocol.pause_writing()

    def write_eof(self) -> None:
        self.half_closed_at = self.world.now

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, _: str) -> None:
        return None

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self.buffered:
                self.loop.call_soon(self._lose)

    def abort(self) -> None:
        self._closing = True
        self.loop.call_soon(self._lose)

    def _lose(self) -> None:
        if self.lost_at is None:
            self.lost_at = self.world.now
            self.protocol.connection_lost(None)

    @property
    def statuses(self) -> list[int]:
        return [int(each) for each in re.findall(rb"HTTP/1.1 (\d+) ", self.written)]


class App:
    """Answers after ``seconds``, with or without reading the body before."""

    def __init__(self, *seconds: float, reads: bool = True, size: int = 5) -> None:
        self.seconds, self.reads, self.size = seconds or (0.0,), reads, size
        self.world: World
        self.running = 0

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        self.running += 1
        try:
            while self.reads and (message := await receive()).get("more_body"):
                pass
            if self.reads and message["type"] == "http.disconnect":
                return
            await self.world.pause(*self.seconds)
            headers = [(b"content-length", b"%d" % self.size)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"x" * self.size})
        finally:
            self.running -= 1


Connect = Callable[..., Transport]


def connect(world: World, app: App, **limits: float) -> Transport:
    """A connection at the moment at which it was made."""
    app.world = world
    loop = world._loop
    kind = bounded(LIMIT, HEAD, BODY)
    config = uvicorn.Config(app, http=kind, lifespan="off", log_config=None, timeout_keep_alive=int(IDLE), **limits)
    transport = Transport(world, loop)
    transport.protocol = kind(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    transport.protocol.connection_made(transport)
    return transport


async def lost(transport: Transport) -> float:
    """When the connection was lost, in seconds from now."""
    began = transport.world.now
    while transport.lost_at is None:
        await transport.world.pause(1.0)
        assert transport.world.now - began < 2000, "it is never closed"
    return transport.lost_at - began


async def send(transport: Transport, *pieces: bytes, every: float = 0.0) -> None:
    for piece in pieces:
        if transport.lost_at is None and transport.reading:
            transport.protocol.data_received(piece)
        if every:
            await transport.world.pause(every)


def one(scenario: Any) -> None:
    replay(scenario, 1)


@pytest.mark.parametrize("blank_lines", [0, 5])
def test_who_connects_and_asks_nothing_is_sent_away(blank_lines: int) -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App())
        await send(transport, *[b"\r\n"] * blank_lines, every=1.0)

        assert blank_lines + await lost(transport) == HEAD + DRAIN_TIMEOUT
        assert transport.statuses == [408]
        assert transport.half_closed_at == transport.lost_at - DRAIN_TIMEOUT

    one(scenario)


def test_who_sends_a_head_byte_by_byte_is_sent_away() -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App())
        await world.pause(3.0)
        await send(transport, *[GET[i : i + 1] for i in range(6)], every=1.0)

        assert 6 + await lost(transport) == HEAD + DRAIN_TIMEOUT
        assert transport.statuses == [408]

    one(scenario)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_head_has_its_size(beyond: int) -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App())
        await send(transport, GET[:-2], b"X: " + b"x" * (LIMIT - len(GET) - 1 + beyond))

        assert transport.statuses == ([431] if beyond else [])

    one(scenario)


@pytest.mark.parametrize("blank_lines", [0, 3])
def test_a_connection_that_is_idle_is_closed_without_a_word(blank_lines: int) -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App())
        await send(transport, GET)
        await world.pause(1.0)
        assert transport.statuses == [200]
        await send(transport, *[b"\r\n"] * blank_lines, every=2.0)

        assert 1 + 2 * blank_lines + await lost(transport) == pytest.approx(IDLE, abs=1.1)
        assert transport.statuses == [200]

    one(scenario)


def test_after_a_body_that_nobody_wanted_the_connection_is_idle_like_any_other() -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App(reads=False))
        await send(transport, POST)
        await world.pause(1.0)
        assert transport.statuses == [200]
        await send(transport, b"x" * 100)

        assert await lost(transport) == pytest.approx(IDLE, abs=1.1)
        assert transport.statuses == [200]

    one(scenario)


def test_a_body_that_stops_coming_is_408() -> None:
    async def scenario(world: World) -> None:
        app = App()
        transport = connect(world, app)
        await send(transport, POST, *[b"x"] * 3, every=BODY - 1)  # slow, which is the application's business
        assert transport.statuses == []

        assert await lost(transport) == 1 + DRAIN_TIMEOUT
        assert transport.statuses == [408]
        assert app.running == 0

    one(scenario)


def test_the_time_of_a_body_does_not_run_while_the_client_may_not_send() -> None:
    async def scenario(world: World) -> None:
        app = App(50.0, reads=False)
        transport = connect(world, app)
        await send(transport, POST.replace(b"100", b"200000"), b"x" * 70_000)
        await world.pause(BODY * 3)
        assert transport.reading is False
        assert transport.statuses == []
        await world.pause(20.0)

        assert transport.statuses == [200]

    one(scenario)


@pytest.mark.parametrize("rest", [b"", b"x"])
def test_a_body_that_nobody_wants_is_waited_for_a_while_only(rest: bytes) -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App(reads=False))
        await send(transport, POST)
        await world.pause(1.0)
        assert transport.statuses == [200]
        await send(transport, rest)

        assert 1 + await lost(transport) == pytest.approx(DRAIN_TIMEOUT, abs=1.1)
        assert transport.statuses == [200]

    one(scenario)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_body_that_nobody_wants_is_read_up_to_a_size_only(beyond: int) -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App(reads=False))
        await send(transport, POST.replace(b"100", b"%d" % (DRAIN_LIMIT * 2)))
        await world.pause(1.0)
        await send(transport, *[b"x" * (DRAIN_LIMIT // 16)] * 16, b"x" * beyond)

        assert transport.is_closing() is bool(beyond)

    one(scenario)


@pytest.mark.parametrize("beyond", [0, 1])
def test_after_what_was_no_request_little_is_read(beyond: int) -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App())
        await send(transport, b"nonsense\r\n\r\n")
        await send(transport, b"x" * DRAIN_LIMIT_OF_HEAD, b"x" * beyond)
        await world.pause(1.0)

        assert transport.statuses == [400]
        assert (transport.lost_at is not None) is bool(beyond)

    one(scenario)


def test_a_body_that_nobody_wanted_is_no_part_of_the_next_request_and_its_connection_is_kept() -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App(reads=False))
        await send(transport, POST)
        await world.pause(1.0)
        await send(transport, b"GET /x HTTP/1.1\r\n".ljust(100, b"x"))
        await world.pause(IDLE - 1)
        assert transport.lost_at is None
        await send(transport, GET)
        await world.pause(1.0)

        assert transport.statuses == [200, 200]
        assert 1 + await lost(transport) == pytest.approx(IDLE, abs=1.1)

    one(scenario)


def test_a_last_answer_is_followed_by_its_end_and_what_still_comes_is_dropped() -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App(reads=False))
        await send(transport, POST.replace(b"Host", b"Connection: close\r\nHost"))
        await world.pause(1.0)
        assert (transport.statuses, transport.half_closed_at is not None) == ([200], True)
        await send(transport, GET, GET)

        assert 1 + await lost(transport) == pytest.approx(DRAIN_TIMEOUT, abs=1.1)
        assert transport.statuses == [200]

    one(scenario)


def test_the_head_behind_an_answer_has_its_time_when_the_answer_has_ended() -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App(HEAD * 3))
        await send(transport, GET + GET[:5])
        await world.pause(HEAD * 3)
        await world.pause(1.0)
        assert transport.statuses == [200]

        assert 1 + await lost(transport) == pytest.approx(HEAD + DRAIN_TIMEOUT, abs=1.1)
        assert transport.statuses == [200, 408]

    one(scenario)


@pytest.mark.parametrize("size", [10, 5000])
def test_who_does_not_read_is_cut_off(size: int) -> None:
    async def scenario(world: World) -> None:
        app = App(size=size)
        transport = connect(world, app)
        transport.client_reads = False
        await send(transport, GET.replace(b"Host", b"Connection: close\r\nHost"))
        await world.pause(1.0)
        assert transport.lost_at is None

        assert 1 + await lost(transport) == pytest.approx(SEND_TIMEOUT, abs=1.1)
        assert app.running == 0

    one(scenario)


def test_who_reads_again_has_its_time_again() -> None:
    async def scenario(world: World) -> None:
        transport = connect(world, App(size=5000))
        transport.client_reads = False
        await send(transport, GET)
        await world.pause(SEND_TIMEOUT - 1)
        transport.client_reads, transport.buffered = True, 0
        transport.protocol.resume_writing()
        await world.pause(2.0)

        assert transport.lost_at is None

    one(scenario)


@pytest.mark.parametrize("requests", [GET, GET + GET])
def test_an_application_whose_client_left_is_told_also_when_another_request_is_queued(requests: bytes) -> None:
    async def scenario(world: World) -> None:
        app = App()
        transport = connect(world, app)

        async def listen(_: Any, receive: Any, __: Any) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            told.append(world.now)

        told: list[float] = []
        transport.protocol._application = listen
        await send(transport, requests)
        await world.pause(1.0)
        assert told == []
        transport.abort()
        await world.pause(1.0)

        assert len(told) == 1

    one(scenario)


PIECES = [
    *[GET, GET + GET, POST, b"x" * 50, b"x" * 100, POST + b"x" * 100, POST + b"x" * 99],
    *[b"\r\n", b"\r\n\r\n", GET[:1], GET[:9], GET[:-2], b"\x00", b"nonsense\r\n\r\n", b"X: " + b"x" * 2000],
    POST.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    POST.replace(b"Host", b"Expect: 100-continue\r\nHost"),
    GET.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost"),
    POST.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: websocket\r\nHost"),
    GET.replace(b"Host", b"Connection: close\r\nHost"),
    POST.replace(b"1.1", b"1.0"),
    POST.replace(b"100", b"99000000"),
]
LONGEST = max(HEAD, BODY, IDLE, SEND_TIMEOUT) * 2 + 50


def test_every_connection_ends_whatever_was_sent_last() -> None:
    async def scenario(world: World) -> None:
        app = App(0.0, 0.5, 10.0, reads=world.chance(0.5), size=world.dice.choice((5, 5000)))
        transport = connect(world, app)
        transport.client_reads = world.chance(0.8)
        for _ in range(world.dice.randrange(6)):
            await send(transport, world.dice.choice(PIECES))
            await world.pause(0.0, 0.1, 3.0, 20.0)

        assert await lost(transport) < LONGEST
        await world.pause(11.0)
        assert app.running == 0
        bodies = re.findall(rb"\{.*?\}", transport.written)
        assert all(json.loads(body)["status"] == "fail" for body in bodies)

    explore("states of a connection", scenario)


def test_the_timers_exceed_one_another_as_they_must() -> None:
    assert protocol.BODY_TIMEOUT > protocol.HEAD_TIMEOUT > DRAIN_TIMEOUT
