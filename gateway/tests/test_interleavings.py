"""What waits, tries and watches in the gateway, under the scheduler."""

import asyncio
import socket
from contextlib import suppress
from typing import Any
from unittest import mock

import aiohttp
import pytest

from openmusic_gateway.asgi import Event, HTTPScope
from openmusic_gateway.body import DISCONNECT_CHECK_DELAY, Body, CancelOnDisconnect, ClientDisconnected
from openmusic_gateway.forwarding import MAX_ATTEMPTS, Forwarder
from openmusic_gateway.limits.attempts import MAX_CONCURRENT, Attempts, Rule
from openmusic_gateway.limits.policy import Limit
from openmusic_gateway.limits.rates import BATCHES, Rate
from openmusic_gateway.reply import MIN_TIME
from openmusic_gateway.request import Request
from openmusic_gateway.responses import HttpError
from openmusic_gateway.routes import Route
from openmusic_gateway.upstreams import RESOLVE_INTERVAL, Upstream, resolving
from openmusic_kit.web.clients import ConnectionBroke
from openmusic_testkit.interleavings import Crash, World, explore

NAME, ADDRESS = Limit("name", 3, 300), Limit("address", 5, 300)
FAILED = 401


class Tally:
    """Counts as the real one does, a little later."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.counts: dict[str, int] = {}

    async def add(self, limit: Limit, key: str) -> None:
        await self._world.pause(0.0, 0.05)
        self.counts[limit.name + key] = self.counts.get(limit.name + key, 0) + 1

    async def wait_for_room(self, limit: Limit, key: str) -> float:
        await self._world.pause(0.0, 0.05)
        return 5.0 if self.counts.get(limit.name + key, 0) >= limit.amount else 0.0


def test_attempts_end_in_time_and_hardly_exceed_their_limits() -> None:
    async def many(world: World) -> None:
        tally = Tally(world)
        attempts = Attempts(tally)  # type: ignore[arg-type]  # a fake
        passed: list[str] = []
        under_way = highest = 0

        async def send(_: Any) -> None:
            await world.pause()

        async def attempt(number: int) -> None:
            nonlocal under_way, highest
            await world.pause(0.0, 0.1, 1.0)
            name = str(number % 2)
            rule = Rule(FAILED, ((NAME, name), (ADDRESS, "a")))
            try:
                async with attempts.limited(rule, send, world.now + 2.0) as counting:
                    under_way += 1
                    highest = max(highest, under_way)
                    try:
                        await world.answer(None, 0.0, 0.1, 1.5, failing=0.1)
                    finally:
                        under_way -= 1
                    status = world.dice.choice((FAILED, 201))
                    await counting({"type": "http.response.start", "status": status})
                    await counting({"type": "http.response.body", "status": FAILED})
                    passed.extend([name] * (status == FAILED))
            except HttpError as refused:
                assert refused.status == 429
            except Crash:
                pass

        # Its turn, the look at two counts, the service, the counting of two, and the sending of two messages.
        longest = 2.0 + 2 * 0.05 + 1.5 + 2 * 0.05 + 0.01
        await world.all(
            world.cancelled_sometime(world.within(longest, attempt(number)), 0.05, 1.0, probability=0.2)
            for number in range(40)
        )
        assert highest <= MAX_CONCURRENT
        assert len(passed) < ADDRESS.amount + MAX_CONCURRENT
        assert max(passed.count("0"), passed.count("1")) < NAME.amount + MAX_CONCURRENT
        assert attempts._semaphores == attempts._users == {}

    explore("limited attempts", many, 100)


def test_what_another_gateway_counted_limits_the_rest_of_its_window_and_no_other() -> None:
    async def clients(world: World) -> None:
        limit = Limit("x", 2 * BATCHES, 10)
        shared: dict[tuple[str, int], int] = {}

        async def share(_: Limit, key: str, window: int, amount: int) -> bool:
            await world.pause(0.0, 0.1, 11.0)
            shared[key, window] = shared.get((key, window), 0) + amount
            return shared[key, window] <= limit.amount

        gateways = [Rate(limit, share, clock=lambda: world.now) for _ in range(2)]
        admitted: dict[int, int] = {}

        async def ask() -> None:
            for _ in range(40):
                with suppress(HttpError):
                    world.dice.choice(gateways).admit("client")
                    window = int(world.now // 10)
                    admitted[window] = admitted.get(window, 0) + 1
                await world.pause(0.0, 0.01, 0.5)

        await world.all(ask() for _ in range(3))
        await world.pause(40.0)
        for gateway in gateways:
            gateway.admit("client")
            assert not gateway._reports
        assert all(amount <= 2 * limit.amount for amount in admitted.values())

    explore("shared rates", clients, 100)


SCOPE: HTTPScope = {
    "type": "http",
    "http_version": "1.1",
    "scheme": "http",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [],
    "client": None,
}


async def nothing() -> Event:
    raise AssertionError("nothing is to be received")


async def drop(_: object) -> None: ...


class Content:
    """The body of an answer: one piece that may never come."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def readany(self) -> bytes:
        return await self._world.answer(b"ok", 0.0, 0.1, 60.0, failing=0.1, error=aiohttp.ClientPayloadError)


class Session:
    """A service that is not there, hangs, hangs up, talks nonsense or answers; counts what reached it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.sent = 0

    async def request(self, *_: Any, **__: Any) -> Any:
        await self._world.pause(0.0, 0.01)
        outcome = self._world.dice.choice(("refused", "unreachable", "cut", "nonsense", "hangs", "answer", "answer"))
        if outcome == "refused":
            raise aiohttp.ClientConnectorError(mock.Mock(), OSError())
        if outcome == "unreachable":
            await self._world.pause(1.0)
            raise aiohttp.ConnectionTimeoutError
        self.sent += 1
        await self._world.pause(0.0, 0.3, 0.9)
        if outcome == "cut":
            raise ConnectionBroke
        if outcome == "nonsense":
            raise aiohttp.ClientResponseError(mock.Mock(), ())
        if outcome == "hangs":
            await self._world.pause(60.0)
        answer = mock.Mock()
        answer.content = Content(self._world)
        return answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_every_request_ends_in_time_and_no_change_reaches_a_service_twice(method: str) -> None:
    limit = 2.0  # seconds

    async def requests(world: World) -> None:
        upstream = Upstream.parse("http://a,http://b,http://c" if world.chance(0.7) else "http://a")

        async def ask() -> None:
            session = Session(world)
            forwarder = Forwarder(session, {"thing": upstream}, 1.0, limit)  # type: ignore[arg-type]  # a fake
            request = Request(SCOPE, {}, nothing, drop, Route(method, "/", "thing"), "", "id", "")
            with suppress(HttpError):
                work = forwarder.forward(request, Body(nothing, {}, 0, 1.0), world.now + limit)
                await world.within(limit + MIN_TIME + 0.001, work)
            assert session.sent <= (MAX_ATTEMPTS if method == "GET" else 1)

        await world.all(world.cancelled_sometime(ask(), 0.1, 1.0, probability=0.2) for _ in range(6))

    explore(f"tries of a {method}", requests, 100)


def test_work_ends_when_its_client_hangs_up_and_only_then() -> None:
    async def one(world: World) -> None:
        hangs_up_after = world.dice.choice((0.0, 0.4, 0.6, 2.0, 100.0))
        takes = world.dice.choice((0.0, 0.4, 0.6, 2.0))
        cancelled_after = world.dice.choice((0.3, 0.7, 100.0, 100.0))

        async def receive() -> Event:
            await world.pause(max(0.0, hangs_up_after - world.now + started))
            return {"type": "http.disconnect"}

        async def work() -> str:
            try:
                with CancelOnDisconnect(Body(receive, {}, 0, 1.0)):
                    await world.answer(None, takes)
            except ClientDisconnected:
                return "gone"
            return "done"

        started = world.now
        task = asyncio.ensure_future(work())
        asyncio.get_running_loop().call_later(cancelled_after, task.cancel)
        await world.within(
            max(DISCONNECT_CHECK_DELAY, min(takes, hangs_up_after, cancelled_after)) + 2.0, asyncio.wait([task])
        )
        ended = world.now - started + 1e-6  # virtual clocks round, too
        if task.cancelled():
            assert ended >= cancelled_after
        elif task.result() == "done":
            assert ended >= takes
        else:
            assert ended >= max(DISCONNECT_CHECK_DELAY, hangs_up_after)
            assert hangs_up_after <= takes
        assert len(asyncio.all_tasks()) <= 2, "the watch over the client ends as well"

    explore("client that hangs up", one)


def test_names_are_looked_up_again_and_what_was_known_outlives_a_failure() -> None:
    async def changing(world: World) -> None:
        addresses = ["10.0.0.1"]
        failing = False

        def getaddrinfo(*_: Any, **__: Any) -> Any:
            if failing:
                raise socket.gaierror
            return [(0, 0, 0, "", (address, 80)) for address in addresses]

        upstream = Upstream.parse("http://service:80")
        with mock.patch.object(socket, "getaddrinfo", getaddrinfo):
            async with resolving([upstream]):
                assert upstream.replicas == ["http://10.0.0.1"]
                failing = True
                await world.pause(RESOLVE_INTERVAL + 0.1)
                assert upstream.replicas == ["http://10.0.0.1"]
                failing, addresses = False, ["10.0.0.1", "10.0.0.2", "10.0.0.2"]
                await world.pause(RESOLVE_INTERVAL + 0.1)
                assert upstream.replicas == ["http://10.0.0.1", "http://10.0.0.2"]

    explore("resolving", changing, 50)
