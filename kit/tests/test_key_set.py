"""How tokens wait for keys, under a scheduler that decides who goes on first. Time is virtual."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from openmusic_kit.errors import Unauthenticated, Unavailable
from openmusic_kit.identity.key_set import FETCH_TIMEOUT, KEYS_LIFETIME, MAX_WAIT, REFETCH_COOLDOWN
from openmusic_kit.identity.token_verifier import TokenVerifier
from openmusic_testkit.interleavings import World, explore, replay
from openmusic_testkit.tokens import TokenIssuer, generate_key, public_jwk

SIGNER = TokenIssuer("issuer", "audience", keys={kid: generate_key() for kid in ("old", "new", "never published")})
GATEWAY_TIMEOUT = 12.0  # seconds; both the gateway and a service may wait for keys within it


@dataclass
class Issuer:
    """Publishes ``kids``; ``hangs`` makes it silent for ever, ``down`` refuses."""

    world: World
    kids: list[str] = field(default_factory=lambda: ["old"])
    hangs: bool = False
    down: bool = False
    began: list[float] = field(default_factory=list)
    under_way: int = 0

    async def publish(self) -> bytes:
        self.began.append(self.world.now)
        assert self.under_way == 0, "one fetch at a time"
        self.under_way += 1
        try:
            kids = list(self.kids)
            if self.hangs:
                await asyncio.Event().wait()
            await self.world.pause(0.0, 0.001, 0.2)
            if self.down:
                raise Unavailable
            return json.dumps({"keys": [public_jwk(kid, SIGNER.keys[kid]) for kid in kids]}).encode()
        finally:
            self.under_way -= 1


TOKENS: dict[str, str] = {}


@pytest.fixture(autouse=True, scope="module")
def signed_in_real_time() -> None:
    """PyJWT reads the real clock, which stands beside the virtual one."""
    TOKENS.update({kid: SIGNER.token(kid) for kid in SIGNER.keys})


def verifier_of(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier(issuer.publish, "issuer", "audience", clock=lambda: 0.0)


async def outcome(verifier: TokenVerifier, kid: str) -> str:
    try:
        return await verifier.verify(TOKENS[kid])
    except (Unauthenticated, Unavailable) as error:
        return type(error).__name__


def test_two_waits_for_keys_fit_into_the_time_of_the_gateway() -> None:
    assert 2 * MAX_WAIT < GATEWAY_TIMEOUT


def test_while_the_issuer_hangs_every_token_of_an_unknown_key_is_unavailable_within_one_fetch() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world, hangs=True)
        verifier = verifier_of(issuer)

        async def ask() -> str:
            await world.pause(0.0, 0.5, 1.0)
            return await world.within(REFETCH_COOLDOWN + FETCH_TIMEOUT + 0.01, outcome(verifier, "new"))

        assert set(await world.all(ask() for _ in range(10))) == {"Unavailable"}
        assert len(issuer.began) == 1

    explore("key set: issuer hangs", scenario, 100)


def test_a_token_of_an_unknown_key_gets_the_verdict_of_a_fetch_that_began_after_it_came() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world)
        verifier = verifier_of(issuer)

        async def ask(kid: str) -> str:
            await world.pause(0.0, 0.001, 0.2, 1.0, 1.2)
            published = kid in issuer.kids
            verdict = await world.within(MAX_WAIT, outcome(verifier, kid))
            assert verdict == "user-1" or not published, f"the key of a {verdict} token was published when it came"
            return verdict

        async def rotate() -> None:
            await world.pause(0.0, 0.001, 0.2, 1.0)
            issuer.kids.append("new")

        kids = ["old", "new", "new", "new", "never published", "never published"]
        *verdicts, _ = await world.all([*map(ask, kids), rotate()])
        assert verdicts[0] == "user-1"
        assert verdicts[-2:] == ["Unauthenticated"] * 2
        assert set(verdicts) == {"user-1", "Unauthenticated"} or set(verdicts) == {"user-1"}

    explore("key set: rotation", scenario, 200)


def test_a_flood_of_unknown_keys_costs_a_fetch_a_second_and_is_refused_not_unavailable() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world)
        verifier = verifier_of(issuer)
        began = world.now

        async def ask(number: int) -> str:
            await asyncio.sleep(number / 50)
            return await world.within(MAX_WAIT, outcome(verifier, "never published"))

        assert set(await world.all(map(ask, range(200)))) == {"Unauthenticated"}
        assert len(issuer.began) <= (world.now - began) / REFETCH_COOLDOWN + 1
        gaps = [later - earlier for earlier, later in zip(issuer.began, issuer.began[1:], strict=False)]
        assert min(gaps) >= REFETCH_COOLDOWN

    explore("key set: flood", scenario, 10)


def test_a_flood_while_the_issuer_hangs_costs_one_fetch_in_its_timeout_and_the_cooldown() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world, hangs=True)
        verifier = verifier_of(issuer)

        async def ask(number: int) -> str:
            await asyncio.sleep(number / 20)
            return await world.within(REFETCH_COOLDOWN + FETCH_TIMEOUT + 0.01, outcome(verifier, "new"))

        assert set(await world.all(map(ask, range(200)))) == {"Unavailable"}
        gaps = [later - earlier for earlier, later in zip(issuer.began, issuer.began[1:], strict=False)]
        assert min(gaps) >= FETCH_TIMEOUT + REFETCH_COOLDOWN
        assert max(gaps) < FETCH_TIMEOUT + REFETCH_COOLDOWN + 0.1, "it is asked again as soon as it may have recovered"

    explore("key set: flood without an issuer", scenario, 10)


def test_a_waiter_that_is_cancelled_takes_the_fetch_from_nobody() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world)
        verifier = verifier_of(issuer)
        asking = (world.cancelled_sometime(outcome(verifier, "old")) for _ in range(6))
        *_, last = await world.all([*asking, world.within(MAX_WAIT, outcome(verifier, "old"))])
        assert last == "user-1"
        assert len(issuer.began) == 1

    explore("key set: cancelled waiters", scenario, 100)


def test_known_keys_wait_for_no_fetch_and_stay_valid_while_the_issuer_hangs() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world)
        verifier = verifier_of(issuer)
        async with verifier.keys.running():
            assert await outcome(verifier, "old") == "user-1"
            issuer.hangs = True
            for _ in range(400):
                before = world.now
                assert await outcome(verifier, "old") == "user-1"
                assert world.now == before
                await asyncio.sleep(KEYS_LIFETIME / 100)
            assert len(issuer.began) == 1 + 3

    explore("key set: renewal", scenario, 20)


def test_a_withdrawn_key_stops_working_within_the_lifetime_of_the_keys_though_nobody_asks() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world)
        verifier = verifier_of(issuer)
        async with verifier.keys.running():
            assert await outcome(verifier, "old") == "user-1"
            issuer.kids = ["new"]
            await asyncio.sleep(KEYS_LIFETIME + 0.5)
            assert await outcome(verifier, "old") == "Unauthenticated"
            assert await outcome(verifier, "new") == "user-1"
        assert not asyncio.all_tasks() - {asyncio.current_task()}, "nothing is left running"

    explore("key set: withdrawal", scenario, 50)


def test_who_waits_while_the_process_stops_is_told_that_it_is_unavailable() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world, hangs=True)
        verifier = verifier_of(issuer)
        async with verifier.keys.running():
            asking = asyncio.create_task(outcome(verifier, "old"))
            await world.pause(0.1)
        assert await world.within(0.1, asking) == "Unavailable"

    explore("key set: stop", scenario, 50)


def in_a_world(scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    replay(scenario, 0)


@pytest.mark.parametrize("answer", [b"", b"[]", b"null", b'"x"', b"{}", b'{"keys": 1}', b'{"keys": [1]}', b"\xff"])
def test_an_answer_that_is_no_key_set_is_as_good_as_none_and_logged_once(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        async def publish() -> bytes:
            return answer

        verifier = TokenVerifier(publish, "issuer", "audience")
        for _ in range(3):
            assert await outcome(verifier, "old") == "Unavailable"
            await world.pause(2 * REFETCH_COOLDOWN)
        with pytest.raises(Unavailable):
            await verifier.ready()

    in_a_world(scenario)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "signing keys could not be fetched"
    ]


def test_keys_are_fetched_from_the_start_until_the_issuer_answers_though_nobody_asks() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world, down=True)
        verifier = verifier_of(issuer)
        async with verifier.keys.running():
            await world.pause(3.5 * REFETCH_COOLDOWN)
            issuer.down = False
            await world.pause(REFETCH_COOLDOWN)
            assert verifier.keys
            fetches = len(issuer.began)
            assert await outcome(verifier, "old") == "user-1"
            assert len(issuer.began) == fetches

    in_a_world(scenario)


def test_ready_fetches_the_keys_once() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world)
        verifier = verifier_of(issuer)
        await verifier.ready()
        await verifier.ready()
        assert len(issuer.began) == 1
        assert await outcome(verifier, "old") == "user-1"

    in_a_world(scenario)


def test_after_a_failed_fetch_a_token_waits_for_the_next_one() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world, down=True)
        verifier = verifier_of(issuer)
        assert await outcome(verifier, "old") == "Unavailable"
        issuer.down = False
        assert await world.within(REFETCH_COOLDOWN + 0.1, outcome(verifier, "old")) == "user-1"

    in_a_world(scenario)


def test_a_key_that_is_replaced_under_its_name_ends_what_the_former_one_signed() -> None:
    async def scenario(world: World) -> None:
        issuer = Issuer(world)
        verifier = verifier_of(issuer)
        assert await outcome(verifier, "old") == "user-1"
        impostor = public_jwk("old", SIGNER.keys["new"])

        async def publish() -> bytes:
            return json.dumps({"keys": [impostor]}).encode()

        verifier.keys._source = publish
        await verifier.keys.fetch()
        assert await outcome(verifier, "old") == "Unauthenticated"

    in_a_world(scenario)
