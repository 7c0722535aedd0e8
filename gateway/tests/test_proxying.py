"""What the gateway keeps of a service's answers, for whom, and what it streams; without processes of their own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from openmusic_gateway.asgi import HTTPScope, Received, Sent
from openmusic_gateway.body import Body
from openmusic_gateway.edge.cache import EdgeCache
from openmusic_gateway.edge.channel import Listener
from openmusic_gateway.edge.entries import MAX_BODY
from openmusic_gateway.edge.generations import Generation, Generations
from openmusic_gateway.forwarding import Forwarder
from openmusic_gateway.pipeline.edge import EdgeLookup
from openmusic_gateway.pipeline.proxy import Proxy
from openmusic_gateway.reply import UpstreamInterrupted
from openmusic_gateway.request import Request
from openmusic_gateway.responses import HttpError
from openmusic_gateway.routes import Route
from openmusic_gateway.service_session import service_session
from openmusic_gateway.upstreams import Upstream

KEPT = Route("GET", "/things/{id}", "thing", cacheable=True)
NOT_KEPT = Route("GET", "/things", "thing")
CHANGE = Route("PUT", "/things/{id}", "thing")
PUBLIC = "Cache-Tag: thing:1\r\nCache-Control: public, no-cache\r\n"
PRIVATE = "Cache-Tag: thing:1, thing:2\r\nCache-Control: private, no-cache\r\n"


class Service:
    """Says how often it was asked, with these headers and this status."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers = PUBLIC
        self.status = 200
        self.body: bytes | None = None
        self.cut_after: int | None = None
        self.hangs = False
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                self.asked.append(head.split(" ")[1])
                await self.go_on.wait()
                body = b"%d" % len(self.asked) if self.body is None else self.body
                start = f"HTTP/1.1 {self.status} X\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
                writer.write((start + self.headers + "\r\n").encode() + body[: self.cut_after])
                await writer.drain()
                if self.hangs:
                    await reader.read()
                if self.cut_after is not None:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def no_generations(on_change: Callable[[], None]) -> Generations:
    return Generations((), forbidden, on_change)


async def forbidden(_: str) -> Generation:
    raise AssertionError("there is no service to ask")


class Channel:
    fresh = True

    def __init__(self, *_: object) -> None:
        self.purged: list[list[str]] = []
        self.lifted: list[list[str]] = []

    async def purge(self, tags: list[str], lifted: list[str]) -> None:
        self.purged.append(tags)
        self.lifted.append(lifted)


class Client:
    """What it got of one answer."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.pieces = 0
        self.ended = False

    async def __call__(self, message: Sent) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            self.pieces += 1
            self.body += message["body"]
            self.ended = not message.get("more_body", False)

    @property
    def from_cache(self) -> bool:
        return self.headers.get("x-data-source") == "cache"


async def nothing() -> Received:
    raise AssertionError("nothing is to be received")


class Front:
    """The last stages of a gateway in front of the service."""

    def __init__(self, forwarder: Forwarder, cache: EdgeCache, channel: Channel) -> None:
        self._lookup = EdgeLookup(cache)
        self._proxy = Proxy(forwarder, cache)
        self.channel = channel

    async def __call__(self, path: str = "/things/1", user: str = "", route: Route = KEPT, **headers: str) -> Client:
        client = Client()
        await self.ask_for(client, path, user, route, headers)
        return client

    async def ask_for(
        self, client: Client, path: str, user: str = "", route: Route = KEPT, headers: dict[str, str] | None = None
    ) -> None:
        before, _, query = path.partition("?")
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in (headers or {}).items()]
        scope: HTTPScope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "method": route.method,
            "path": before,
            "raw_path": before.encode(),
            "query_string": query.encode(),
            "headers": raw,
            "client": None,
        }
        request = Request(scope, dict(raw), nothing, client, route, user, "id-7", "10.0.0.1")
        status = await self._lookup.respond(request)
        if status is None:
            status = await self._proxy.respond(request, Body(nothing, {}, 0, 1.0), self._proxy.deadline())
        assert status == client.status


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def front(service: Service) -> AsyncIterator[Front]:
    channels: list[Channel] = []

    def channel(_: Listener) -> Any:
        channels.append(Channel())
        return channels[0]

    server = await asyncio.start_server(service.converse, "127.0.0.1", 0, limit=2**22)
    async with server, service_session() as session:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        forwarder = Forwarder(session, {"thing": Upstream.parse(url)}, 1.0, 2.0)
        yield Front(forwarder, EdgeCache(8_000_000, channel, no_generations), channels[0])


async def test_the_second_reader_is_answered_from_memory_and_told_so(front: Front, service: Service) -> None:
    first, second = await front(), await front()

    assert (first.from_cache, second.from_cache) == (False, True)
    assert (first.body, second.body, len(service.asked)) == (b"1", b"1", 1)
    assert first.headers["etag"] == second.headers["etag"]
    assert {"cache-tag", "cache-purge"}.isdisjoint({*first.headers, *second.headers})
    for answer in (first, second):
        assert (answer.status, answer.headers["x-request-id"], answer.headers["content-type"]) == (
            200,
            "id-7",
            "text/plain",
        )
        assert answer.headers["content-length"] == "1"


@pytest.mark.parametrize("other", ["/things/1?page=2", "/things/2", "/things/1?"])
async def test_another_path_or_query_is_another_answer(front: Front, service: Service, other: str) -> None:
    await front("/things/1?page=1")

    assert (await front(other)).body == b"2"
    assert service.asked == ["/things/1?page=1", other.rstrip("?")]
    assert (await front("/things/1?page=1")).body == b"1"


async def test_what_is_for_one_user_is_not_for_another(front: Front, service: Service) -> None:
    service.headers = PRIVATE
    assert [(await front(user=user)).body for user in ("a", "b", "a", "b")] == [b"1", b"2", b"1", b"2"]


async def test_a_private_answer_to_nobody_in_particular_is_not_kept(front: Front, service: Service) -> None:
    service.headers = PRIVATE
    assert [(await front()).body for _ in range(3)] == [b"1", b"2", b"3"]
    service.headers = PUBLIC
    assert [(await front()).body for _ in range(3)] == [b"4", b"4", b"4"]


@pytest.mark.parametrize(("status", "headers"), [(200, "Cache-Control: public\r\n"), (404, PUBLIC), (206, PUBLIC)])
async def test_only_a_whole_success_with_tags_is_kept(
    front: Front, service: Service, status: int, headers: str
) -> None:
    service.status, service.headers = status, headers
    for number in (b"1", b"2"):
        answer = await front()
        assert (answer.status, answer.body, answer.from_cache) == (status, number, False)


async def test_a_route_that_is_not_kept_is_asked_each_time(front: Front) -> None:
    assert [(await front("/things", route=NOT_KEPT)).body for _ in range(2)] == [b"1", b"2"]


async def test_who_has_this_version_is_told_so_without_a_body(front: Front) -> None:
    etag = (await front("/things/9")).headers["etag"]
    for path in ("/things/9", "/things/9?fresh"):
        same = await front(path, if_none_match=etag if path == "/things/9" else '"x"')
        assert (same.status, same.body) == ((304, b"") if path == "/things/9" else (200, b"2"))
    assert {"content-type", "content-length"}.isdisjoint((await front("/things/9", if_none_match=etag)).headers)


async def test_a_change_is_purged_everywhere_before_it_is_answered(front: Front, service: Service) -> None:
    await front()
    service.headers = "Cache-Purge: thing:1, other:2\r\nCache-Lift: h1,h2\r\n"
    changed = await front(route=CHANGE)
    assert (changed.status, "cache-lift" in changed.headers) == (200, False)
    assert front.channel.purged == [["thing:1", "other:2"]]
    assert front.channel.lifted == [["h1", "h2"]]
    service.headers = PUBLIC
    assert (await front()).body == b"3"
    await front("/things", route=NOT_KEPT)
    assert len(front.channel.purged) == 1, "where there is nothing to purge, nobody is told"


async def test_a_failed_read_is_no_answer_to_who_waited_for_it(front: Front, service: Service) -> None:
    service.go_on.clear()
    readers = [asyncio.create_task(front()) for _ in range(3)]
    while not service.asked:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    assert len(service.asked) == 1
    readers[0].cancel()  # its client hung up
    service.go_on.set()
    assert {(await reader).status for reader in readers[1:]} == {200}


async def test_who_waits_in_vain_is_refused_at_its_deadline(front: Front, service: Service) -> None:
    service.go_on.clear()
    readers = [asyncio.create_task(front()) for _ in range(3)]
    for reader in readers:
        with pytest.raises(HttpError) as refused:
            await reader
        assert refused.value.status == 504
    assert len(service.asked) <= 3


@pytest.mark.parametrize(("size", "kept"), [(MAX_BODY, True), (MAX_BODY + 1, False), (3 * MAX_BODY, False)])
async def test_an_answer_above_the_bound_is_streamed_and_not_kept(
    front: Front, service: Service, size: int, kept: bool
) -> None:
    service.body = b"x" * size
    answers = [await front() for _ in range(2)]

    assert [(len(answer.body), answer.ended) for answer in answers] == [(size, True)] * 2
    assert answers[1].from_cache is kept
    assert (answers[0].pieces > 1) is (size > 2 * MAX_BODY)
    assert ("etag" in answers[0].headers) is kept


async def test_a_stream_that_breaks_off_is_not_taken_for_whole(front: Front, service: Service) -> None:
    service.body, service.cut_after = b"x" * (4 * MAX_BODY), 2 * MAX_BODY
    client = Client()
    with pytest.raises(UpstreamInterrupted):
        await front.ask_for(client, "/things/1")
    assert client.status == 200
    assert not client.ended


async def test_a_small_answer_that_breaks_off_is_502(front: Front, service: Service) -> None:
    service.body, service.cut_after = b"x" * 1_000, 500
    client = Client()
    with pytest.raises(HttpError) as refused:
        await front.ask_for(client, "/things/1")
    assert (refused.value.status, client.status) == (502, 0)


async def test_a_small_answer_that_does_not_end_is_504(front: Front, service: Service) -> None:
    service.body, service.cut_after, service.hangs = b"x" * 1_000, 500, True
    client = Client()
    with pytest.raises(HttpError) as refused:
        await front.ask_for(client, "/things/1")
    assert (refused.value.status, client.status) == (504, 0)


async def test_nobody_waits_for_a_client_that_reads_slowly(front: Front, service: Service) -> None:
    """Its answer is not kept, so the next reader asks the service at once."""
    service.status = 404
    reading = asyncio.Event()

    class Slow(Client):
        async def __call__(self, _: Sent) -> None:
            reading.set()
            await asyncio.Event().wait()

    slow = asyncio.create_task(front.ask_for(Slow(), "/things/1"))
    await reading.wait()
    async with asyncio.timeout(1.0):
        assert (await front()).body == b"2"
    slow.cancel()
    await asyncio.wait([slow])
