"""How long a response is kept: for long only if each of its changes reaches this gateway for certain."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from openmusic_gateway.edge import holds as holds_module
from openmusic_gateway.edge.cache import LIFETIME, EdgeCache, FetchedResponse
from openmusic_gateway.edge.channel import MARGIN, SHORT_LIFETIME, Listener
from openmusic_gateway.edge.entries import Key
from openmusic_gateway.edge.generations import Generation, Generations
from openmusic_gateway.edge.holds import REMEMBERED
from openmusic_kit.cache import generations as service_generations

KEY: Key = ("/thing", b"", "")
TAG = "thing:1"
LONGEST_CHANGE = 77.0  # seconds
SETTLING = service_generations.LEASE + service_generations.MARGIN


class Channel:
    fresh = True
    complete_since = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    async def purge(self, tags: list[str], lifted: list[str]) -> None: ...


class Gateway:
    """One whose clock the test sets. Its service has said its generation long ago."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.channel: Any = None
        self.generations: Any = None
        self.cache = EdgeCache(1_000_000, self._open_channel, self._open_generations)
        self.hear(7)
        self.generations.settled_since = 0.0

    def _open_channel(self, _: Listener) -> Any:
        self.channel = Channel()
        return self.channel

    def _open_generations(self, on_change: Callable[[], None]) -> Generations:
        async def ask(_: str) -> Generation:
            raise AssertionError("nobody asks here")

        self.generations = Generations(("thing",), ask, on_change, lambda: self.now)
        return self.generations

    def hear(self, number: int, age: float = 0.0) -> None:
        generation = Generation(number=number, age=age, longest_change=LONGEST_CHANGE)
        self.generations._learn(self.generations._known["thing"], generation, self.now)

    async def fetch(self, *, seconds: float = 0.0, announced: bool = True, tag: str = TAG) -> None:
        async def load() -> FetchedResponse:
            self.now += seconds
            return FetchedResponse([], b"x", (tag,), announced)

        await self.cache.fetch(KEY, load)

    def kept_for(self) -> float:
        """Seconds, from the present on. The generation stays known all the time."""
        began = self.now
        for seconds in (0.0, SHORT_LIFETIME - 2 * MARGIN, SHORT_LIFETIME, LIFETIME - 2 * MARGIN, LIFETIME):
            self.now = began + seconds
            self.hear(self.generations._known["thing"].number)
            if self.cache.get(KEY) is None:
                return seconds
        raise AssertionError("it is kept for ever")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return Gateway(monkeypatch)


async def test_a_response_whose_changes_are_announced_is_kept_for_a_lifetime(gateway: Gateway) -> None:
    await gateway.fetch()
    assert gateway.kept_for() == LIFETIME


async def test_a_response_of_a_service_that_announces_nothing_is_kept_for_a_moment(gateway: Gateway) -> None:
    await gateway.fetch(announced=False)
    assert gateway.kept_for() == SHORT_LIFETIME


@pytest.mark.parametrize("tag", [TAG, "thing"])
async def test_a_hold_drops_what_is_kept_and_what_is_being_fetched(gateway: Gateway, tag: str) -> None:
    await gateway.fetch()
    gateway.cache.on_hold("h", [tag], LONGEST_CHANGE)
    assert gateway.cache.get(KEY) is None

    async def load() -> FetchedResponse:
        gateway.cache.on_hold("i", [tag], LONGEST_CHANGE)
        return FetchedResponse([], b"x", (TAG,), announced=True)

    await gateway.cache.fetch(KEY, load)
    assert gateway.cache.get(KEY) is None


@pytest.mark.parametrize(("tag", "kept"), [(TAG, SHORT_LIFETIME), ("thing", SHORT_LIFETIME), ("thing:2", LIFETIME)])
async def test_what_is_fetched_under_a_hold_is_kept_for_a_moment(gateway: Gateway, tag: str, kept: float) -> None:
    gateway.cache.on_hold("h", [tag], LONGEST_CHANGE)
    await gateway.fetch()
    assert gateway.kept_for() == kept


async def test_a_response_to_a_whole_kind_is_under_the_holds_of_each_of_that_kind(gateway: Gateway) -> None:
    gateway.cache.on_hold("h", [TAG], LONGEST_CHANGE)
    await gateway.fetch(tag="thing")
    assert gateway.kept_for() == SHORT_LIFETIME


async def test_a_hold_is_lifted_by_name(gateway: Gateway) -> None:
    for name in ("h", "i"):
        gateway.cache.on_hold(name, [TAG], LONGEST_CHANGE)
    gateway.cache.on_purge([], ["h", "another"])
    await gateway.fetch()
    assert gateway.kept_for() == SHORT_LIFETIME
    await gateway.cache.purge([TAG], ["i"])
    await gateway.fetch()
    assert gateway.kept_for() == LIFETIME


async def test_a_hold_may_come_in_parts(gateway: Gateway) -> None:
    gateway.cache.on_hold("h", ["thing:2"], LONGEST_CHANGE)
    gateway.cache.on_hold("h", [TAG], LONGEST_CHANGE)
    await gateway.fetch()
    assert gateway.kept_for() == SHORT_LIFETIME


@pytest.mark.parametrize(("before_the_end", "kept"), [(0.001, SHORT_LIFETIME), (0.0, LIFETIME)])
async def test_a_hold_that_nobody_lifts_counts_for_what_began_to_be_fetched_before_it_lapsed(
    gateway: Gateway, before_the_end: float, kept: float
) -> None:
    gateway.cache.on_hold("h", [TAG], LONGEST_CHANGE)
    gateway.now += LONGEST_CHANGE - before_the_end
    await gateway.fetch(seconds=0.5)
    gateway.now -= 0.5
    assert gateway.kept_for() == kept


async def test_holds_that_lapsed_long_ago_are_forgotten(gateway: Gateway) -> None:
    for number in range(5):
        gateway.cache.on_hold(f"h{number}", [TAG], LONGEST_CHANGE)
        gateway.now += LONGEST_CHANGE + REMEMBERED
    assert list(gateway.cache._holds._holds) == ["h4"]
    assert set().union(*gateway.cache._holds._by_label.values()) == {"h4"}


async def test_too_many_holds_are_taken_for_holds_of_everything(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds_module, "MAX_HOLDS", 2)
    for number in range(3):
        gateway.cache.on_hold(f"h{number}", [f"other:{number}"], LONGEST_CHANGE)
    await gateway.fetch()
    assert gateway.kept_for() == SHORT_LIFETIME
    gateway.now = 1_000.0 + LONGEST_CHANGE
    await gateway.fetch()
    assert gateway.kept_for() == LIFETIME


@pytest.mark.parametrize(("missing", "kept"), [(0.001, SHORT_LIFETIME), (0.0, LIFETIME)])
async def test_a_gateway_that_has_just_come_may_have_missed_the_hold_of_a_change_under_way(
    gateway: Gateway, missing: float, kept: float
) -> None:
    gateway.channel.complete_since = gateway.now - LONGEST_CHANGE + missing
    await gateway.fetch(seconds=0.5)
    gateway.now -= 0.5
    assert gateway.kept_for() == kept


async def test_a_generation_that_moved_drops_everything(gateway: Gateway) -> None:
    await gateway.fetch()
    gateway.hear(7)
    assert gateway.cache.get(KEY) is not None
    gateway.hear(8)
    assert gateway.cache.get(KEY) is None


@pytest.mark.parametrize(("missing", "kept"), [(0.001, SHORT_LIFETIME), (0.0, LIFETIME)])
async def test_after_a_generation_moved_some_replica_may_not_know_it_for_a_lease(
    gateway: Gateway, missing: float, kept: float
) -> None:
    gateway.hear(8)
    gateway.now += SETTLING - missing
    await gateway.fetch(seconds=0.5)
    gateway.now -= 0.5
    assert gateway.kept_for() == kept


async def test_while_the_generation_is_not_known_what_is_old_is_not_given(gateway: Gateway) -> None:
    gateway.now += 10
    gateway.hear(7, age=0.25)
    await gateway.fetch()
    gateway.now += service_generations.LEASE - 0.25 - service_generations.MARGIN - 0.001
    assert gateway.cache.get(KEY) is not None
    gateway.now += 0.002
    assert gateway.cache.get(KEY) is None
    gateway.hear(7, age=0.9)
    assert gateway.cache.get(KEY) is not None, "the generation has not moved meanwhile"
    gateway.hear(7, age=0.95)
    assert gateway.cache.get(KEY) is not None, "an older look takes nothing away"


async def test_what_is_kept_for_a_moment_needs_no_generation(gateway: Gateway) -> None:
    await gateway.fetch(announced=False)
    gateway.now += SHORT_LIFETIME - 2 * MARGIN
    gateway.generations._known["thing"].good_until = 0.0
    assert gateway.cache.get(KEY) is not None
