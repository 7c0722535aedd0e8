import asyncio
import time

import pytest

from openmusic_testkit.interleavings import Crash, Hang, TooLate, World, explore, replay


def test_a_wake_up_that_gets_lost_is_a_hang() -> None:
    async def scenario(world: World) -> None:
        woken = asyncio.Event()

        async def wake() -> None:
            await world.pause()
            woken.set()
            woken.clear()

        async def sleep() -> None:
            await world.pause()
            await woken.wait()

        await world.all([wake(), sleep()])

    with pytest.raises(Hang, match="sleep") as failure:
        explore("lost wake-up", scenario)
    assert "OPENMUSIC_SEED=" in failure.value.__notes__[0]


def test_a_race_is_found_and_shown_again_by_its_seed() -> None:
    async def scenario(world: World) -> None:
        count = 0

        async def add() -> None:
            nonlocal count
            seen = count
            await world.pause()
            count = seen + 1

        await world.all([add(), add()])
        assert count == 2

    def outcome(seed: int) -> bool:
        try:
            replay(scenario, seed)
        except AssertionError:
            return False
        return True

    outcomes = [outcome(seed) for seed in range(50)]
    assert {True, False} == {*outcomes, True}
    assert [outcome(seed) for seed in range(50)] == outcomes


def test_ready_callbacks_run_in_every_order() -> None:
    orders = set()

    async def scenario(world: World) -> None:
        order: list[int] = []

        async def note(number: int) -> None:
            order.append(number)

        await world.all(note(number) for number in range(3))
        orders.add(tuple(order))

    explore("orders", scenario)
    assert len(orders) == 6


def test_hours_pass_in_no_time_for_every_clock() -> None:
    async def scenario(_: World) -> None:
        clocks = (time.monotonic, time.time, asyncio.get_running_loop().time)
        before = [clock() for clock in clocks]
        await asyncio.sleep(7200)
        assert [clock() - began for clock, began in zip(clocks, before, strict=True)] == [7200] * 3

    before = time.monotonic()
    replay(scenario, 0)
    assert time.monotonic() - before < 60


def test_a_missed_deadline_is_named() -> None:
    async def slow() -> None:
        await asyncio.sleep(3)

    async def scenario(world: World) -> None:
        await world.within(2, slow())

    with pytest.raises(TooLate, match="slow has not ended within 2 s"):
        replay(scenario, 0)


def test_work_that_ends_in_time_gives_its_result_or_its_error() -> None:
    async def scenario(world: World) -> None:
        assert await world.within(2, world.answer("value", 1.0)) == "value"
        with pytest.raises(Crash):
            await world.within(2, world.answer("value", 1.0, failing=1.0))

    explore("within", scenario, 20)


def test_cancellation_comes_in_some_interleavings_only() -> None:
    ends = set()

    async def scenario(world: World) -> None:
        ends.add(await world.cancelled_sometime(world.answer("whole", 0.0, 0.001, 0.002)))

    explore("cancellation", scenario)
    assert ends == {"whole", None}


def test_a_thread_is_a_callback_that_takes_its_time() -> None:
    async def scenario(_: World) -> None:
        assert await asyncio.to_thread(lambda: 42) == 42

    explore("threads", scenario, 20)


def test_a_callback_that_fails_fails_the_interleaving() -> None:
    async def scenario(world: World) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await world.pause(1)

    with pytest.raises(ZeroDivisionError):
        replay(scenario, 0)


def test_a_loop_that_never_waits_is_a_hang() -> None:
    async def scenario(_: World) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Hang, match="still busy"):
        replay(scenario, 0)
