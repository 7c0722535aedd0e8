"""Those who ask for what is being fetched already, under the scheduler and with a clock of the test's own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from openmusic_gateway.conditions import not_modified
from openmusic_gateway.edge.cache import EdgeCache, FetchedResponse
from openmusic_gateway.edge.channel import LEASE, MARGIN, SHORT_LIFETIME, Listener, PurgeChannel
from openmusic_gateway.edge.entries import Key
from openmusic_gateway.edge.generations import Generation, Generations
from openmusic_testkit.interleavings import Crash, World, explore

KEY: Key = ("/thing", b"", "")
TAG = "thing:1"


class Channel:
    """To nobody: always in step unless the test says otherwise."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.fresh = True
        self.complete_since = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    async def purge(self, tags: list[str], lifted: list[str]) -> None: ...


def _alone() -> tuple[EdgeCache, Channel]:
    channels: list[Channel] = []

    def channel(listener: Listener) -> Any:
        channels.append(Channel(listener))
        return channels[0]

    async def ask(_: str) -> Generation:
        raise AssertionError("there is no service to ask")

    return EdgeCache(1_000_000, channel, partial(Generations, (), ask)), channels[0]


def _answer(body: bytes = b"x") -> FetchedResponse:
    return FetchedResponse([], body, (TAG,))


async def _read(cache: EdgeCache, load: Callable[[], Any], deadline: float) -> Any:
    return cache.get(KEY) or await cache.join(KEY, deadline) or await cache.fetch(KEY, load)


FETCH = 2.0  # seconds that a fetch takes before it gives or fails
ARRIVALS = 0.5  # seconds within which all readers of a test come


def test_readers_whose_fetch_is_given_up_or_fails_do_not_wait_for_one_another_in_turn() -> None:
    """Each waits for one fetch at most before its own: 2 s and 2 s, never 2, 4, 6 ..."""

    async def readers(world: World) -> None:
        cache, _ = _alone()

        async def load() -> FetchedResponse:
            return await world.answer(_answer(), FETCH, failing=0.6)

        async def read() -> None:
            await world.pause(0.0, 0.1, ARRIVALS)
            work = world.within(2 * FETCH + 0.01, _read(cache, load, world.now + 10))
            with suppress(Crash):
                await world.cancelled_sometime(work, 0.1, 1.0, 1.9, probability=0.3)

        await world.all(read() for _ in range(8))

    explore("edge flights", readers)


def test_who_joins_waits_no_longer_than_its_own_deadline() -> None:
    async def readers(world: World) -> None:
        cache, _ = _alone()

        async def load() -> FetchedResponse:
            await asyncio.sleep(60)
            return _answer()

        async def join(seconds: float) -> None:
            with pytest.raises(TimeoutError):
                await world.within(seconds + 0.01, cache.join(KEY, world.now + seconds))

        first = asyncio.ensure_future(cache.fetch(KEY, load))
        await world.pause(0.001)
        await world.all(join(seconds) for seconds in (0.1, 3.0, 12.0))
        first.cancel()
        await asyncio.wait([first])

    explore("joined flights", readers, 50)


def test_a_fetch_is_joined_until_its_answer_could_not_be_kept_any_more() -> None:
    async def readers(world: World) -> None:
        for age, joined in ((SHORT_LIFETIME - MARGIN - 0.01, True), (SHORT_LIFETIME - MARGIN, False)):
            cache, _ = _alone()
            go_on = asyncio.Event()

            async def load(go_on: asyncio.Event = go_on) -> FetchedResponse:
                await go_on.wait()
                return _answer()

            first = asyncio.ensure_future(cache.fetch(KEY, load))
            await world.pause(0.0)
            await world.pause(age)
            second = asyncio.ensure_future(cache.join(KEY, world.now + 10))
            await world.pause(0.001)
            assert second.done() is not joined
            go_on.set()
            await first
            assert (await second is not None) is joined

    explore("age of a flight", readers, 20)


@pytest.mark.parametrize("purged", ["before", "after", "meanwhile"])
async def test_who_asks_after_a_purge_is_not_given_what_was_fetched_before_it(purged: str) -> None:
    cache, channel = _alone()
    go_on = asyncio.Event()

    async def load() -> FetchedResponse:
        await go_on.wait()
        return _answer()

    if purged == "before":
        channel.listener.on_purge([TAG], [])
    first = asyncio.ensure_future(cache.fetch(KEY, load))
    await asyncio.sleep(0)
    if purged == "meanwhile":
        channel.listener.on_purge([TAG], [])
    second = asyncio.ensure_future(cache.join(KEY, asyncio.get_running_loop().time() + 10))
    await asyncio.sleep(0)
    if purged == "after":
        channel.listener.on_purge([TAG], [])
    go_on.set()
    await first

    assert (await second is None) is (purged == "meanwhile"), "who asked before the purge may be given it"
    assert (cache.get(KEY) is None) is (purged != "before")


async def test_a_gateway_that_is_out_of_step_neither_keeps_nor_gives_nor_joins() -> None:
    cache, channel = _alone()
    loads: list[int] = []
    go_on = asyncio.Event()

    async def load() -> FetchedResponse:
        loads.append(1)
        await go_on.wait()
        return _answer()

    first = asyncio.ensure_future(cache.fetch(KEY, load))
    await asyncio.sleep(0)
    channel.fresh = False
    assert await cache.join(KEY, 0.0) is None
    go_on.set()
    await first
    channel.fresh = True
    assert cache.get(KEY) is None, "it was out of step when the answer came"
    await cache.fetch(KEY, load)
    assert cache.get(KEY) is not None
    channel.fresh = False
    assert cache.get(KEY) is None
    channel.fresh = True
    channel.listener.on_disconnect()
    assert cache.get(KEY) is None, "what may have been outdated unheard is dropped"

    go_on.clear()
    fetching = asyncio.ensure_future(cache.fetch(KEY, load))
    await asyncio.sleep(0)
    channel.listener.on_disconnect()
    go_on.set()
    await fetching
    assert cache.get(KEY) is None, "and so is what was being fetched meanwhile"


async def test_an_answer_is_kept_for_a_lifetime_from_when_it_began_to_be_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    cache, _ = _alone()

    async def load() -> FetchedResponse:
        nonlocal now
        now += 0.5
        return _answer()

    await cache.fetch(KEY, load)
    now = 1000.0 + SHORT_LIFETIME - MARGIN - 0.001
    entry = cache.get(KEY)
    assert entry is not None
    assert entry.headers == [(b"etag", _answer().etag)]
    now += 0.002
    assert cache.get(KEY) is None


async def test_what_comes_from_a_cache_of_the_service_is_kept_without_saying_so() -> None:
    cache, _ = _alone()

    async def load() -> FetchedResponse:
        return FetchedResponse([(b"x-data-source", b"cache"), (b"x-other", b"1")], b"x", (TAG,))

    await cache.fetch(KEY, load)
    entry = cache.get(KEY)
    assert entry is not None
    assert [name for name, _ in entry.headers] == [b"x-other", b"etag"]


async def test_an_answer_without_tags_is_not_kept() -> None:
    cache, _ = _alone()

    async def load() -> FetchedResponse:
        return FetchedResponse([], b"x", ())

    await cache.fetch(KEY, load)
    assert cache.get(KEY) is None


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        (b'"a"', True),
        (b'W/"a"', True),
        (b'"b", W/"a"', True),
        (b'"b","a"', True),
        (b"*", True),
        (b'"b"', False),
        (b"a", False),
        (b"", False),
        (b'"a', False),
        (b'"b", *', False),
    ],
)
def test_if_none_match_compares_versions(asked: bytes, same: bool) -> None:
    assert not_modified(b'"a"', asked) is same


def test_another_body_is_another_version() -> None:
    assert _answer(b"x").etag == _answer(b"x").etag != _answer(b"y").etag
    assert _answer().etag.startswith(b'"')
    assert _answer().etag.endswith(b'"')


class NoRedis:
    """For a channel that only listens."""

    def register_script(self, _: str) -> None: ...


class Listening:
    """Notes what a channel says."""

    def __init__(self) -> None:
        self.holds: list[tuple[str, list[str], float]] = []
        self.purged: list[list[str]] = []
        self.lifted: list[str] = []
        self.disconnections = 0

    def on_hold(self, hold_id: str, tags: list[str], seconds: float) -> None:
        self.holds.append((hold_id, tags, seconds))

    def on_purge(self, tags: list[str], lifted: list[str]) -> None:
        self.purged.append(tags)
        self.lifted += lifted

    def on_disconnect(self) -> None:
        self.disconnections += 1


def _channel(clock: Callable[[], float]) -> tuple[PurgeChannel, Listening]:
    listening = Listening()
    redis: Any = NoRedis()
    return PurgeChannel(redis, redis, listening, clock), listening


def test_a_gateway_is_in_step_for_a_lease_from_when_it_sent_the_beat_that_came_back() -> None:
    now = 100.0
    channel, _ = _channel(lambda: now)
    assert not channel.fresh
    now = 100.9
    channel._handle(b"gateway:me", b"beat 100.0")
    assert channel.fresh
    channel._handle(b"gateway:me", b"beat 99.0")
    now = 100.0 + LEASE - MARGIN - 0.001
    assert channel.fresh, "an older beat takes nothing away"
    now += 0.002
    assert not channel.fresh


def test_a_beat_that_comes_too_late_proves_nothing() -> None:
    channel, _ = _channel(lambda: 100.0 + LEASE)
    channel._handle(b"gateway:me", b"beat 100.0")
    assert not channel.fresh


def test_acknowledgements_that_nobody_can_send_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openmusic_gateway.edge.channel.MAX_ACKNOWLEDGEMENTS", 3)
    channel, listening = _channel(lambda: 0.0)
    for number in range(5):
        channel._handle(b"gateway:purges", b'{"id": %d, "from": "other", "tags": ["thing:%d"]}' % (number, number))

    waiting = [channel._acknowledgements.get_nowait() for _ in range(channel._acknowledgements.qsize())]
    assert waiting == [("other", 2), ("other", 3), ("other", 4)]
    assert listening.purged == [[f"thing:{number}"] for number in range(5)]


def test_a_purge_of_its_own_or_of_a_service_is_taken_without_an_acknowledgement() -> None:
    channel, listening = _channel(lambda: 0.0)
    channel._handle(b"gateway:purges", b'{"id": 1, "from": "%s", "tags": ["thing:1"]}' % channel._id.encode())
    channel._handle(b"gateway:purges", b'{"tags": ["thing:2"]}')

    assert listening.purged == [["thing:1"], ["thing:2"]]
    assert channel._acknowledgements.empty()


async def test_a_message_that_nobody_can_read_may_be_a_purge() -> None:
    """The channel goes on, with nothing kept from before."""
    listener = Listening()
    opened = asyncio.Event()

    class Garbled:
        async def __aenter__(self) -> "Garbled":
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def subscribe(self, *_: str) -> None:
            if listener.disconnections:
                opened.set()
                await asyncio.Event().wait()

        async def get_message(self, timeout: float) -> dict[str, bytes]:  # noqa: ARG002, ASYNC109 - as redis-py has it
            return {"channel": b"gateway:purges", "data": b"{"}

    class Redis(NoRedis):
        def pubsub(self, **_: Any) -> Garbled:
            return Garbled()

    redis: Any = Redis()
    channel = PurgeChannel(redis, redis, listener)
    listening = asyncio.create_task(channel._listen())
    async with asyncio.timeout(10):
        await opened.wait()
    listening.cancel()
    assert listener.disconnections
    assert not channel.fresh
