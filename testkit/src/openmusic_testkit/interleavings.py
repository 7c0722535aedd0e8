"""Deterministic scheduling for asyncio: a virtual clock, and a ready queue whose order a seed decides.

What is under test runs with fakes instead of sockets; their answers take drawn, virtual time (:meth:`World.pause`),
often the same instant on purpose. When nothing is ready the clock jumps to the next timer. When there is no timer
either and somebody still waits, that is a :class:`Hang`. A failure names its seed, which replays it.

The idea is that of randomised schedulers such as Burckhardt et al., "A Randomized Scheduler with Probabilistic
Guarantees of Finding Bugs" (ASPLOS 2010).
"""

import asyncio
import heapq
import os
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")

INTERLEAVINGS = 300
"""Tried by :func:`explore` unless OPENMUSIC_INTERLEAVINGS says otherwise."""
MAX_STEPS = 100_000
"""Callbacks in one interleaving; more is taken for a loop that never waits."""
WINDING_UP = 60.0
"""Virtual seconds that tasks have to take their cancellation when an interleaving has ended."""
EPOCH = 1_750_000_000.0
"""What ``time.time()`` says when a world begins, in seconds since 1970."""


class Hang(AssertionError):
    """Nothing is left to run, and somebody still waits."""


class TooLate(AssertionError):
    """A deadline passed."""


class Crash(Exception):
    """What an await of a fake raises when the dice say so, unless the test names another error."""


@dataclass
class Run:
    """What was tried of one piece."""

    piece: str
    interleavings: int
    steps: int
    seconds: float


RUNS: list[Run] = []
"""Of this process, for the table at the end of a test run."""


class _ShuffledLoop(asyncio.SelectorEventLoop):
    """Runs one ready callback at a time, drawn by the dice. Reads no sockets; threads become callbacks."""

    # asyncio offers no hook for the order of callbacks, so this relies on names that CPython 3.11 to 3.14 share.
    _ready: Any
    _scheduled: list[Any]

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice
        self.steps = 0
        self._now = 1000.0

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # noqa: ARG002 - there is one kind of thread
        done: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if done.cancelled():
                return
            try:
                done.set_result(func(*args))
            except Exception as error:
                done.set_exception(error)

        self.call_later(self.dice.choice((0.0, 0.001, 0.01)), run)
        return done

    def _run_once(self) -> None:
        self._drop_cancelled_timers()
        if not self._ready:
            if not self._scheduled:
                waiting = sorted(_name(task) for task in asyncio.all_tasks(self))
                raise Hang(f"nothing is left to run while these wait: {', '.join(waiting)}")
            self._now = max(self._now, self._scheduled[0]._when)
        while self._scheduled and self._scheduled[0]._when <= self._now:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            if not timer._cancelled:
                self._ready.append(timer)
        if not self._ready:
            return
        position = self.dice.randrange(len(self._ready))
        self._ready.rotate(-position)
        handle = self._ready.popleft()
        self._ready.rotate(position)
        if not handle._cancelled:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise Hang(f"still busy after {MAX_STEPS} steps")
            handle._run()

    def _drop_cancelled_timers(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False

    def wind_up(self) -> None:
        """Cancels what still runs, so that it ends here and not as a warning when memory is collected."""
        self.steps, unfinished = 0, asyncio.all_tasks(self)
        for task in unfinished:
            task.cancel()
        if unfinished:
            with suppress(Hang):
                self.run_until_complete(asyncio.wait(unfinished, timeout=WINDING_UP))

    def abandon(self) -> None:
        """Lets go of everything that has not run."""
        self._ready.clear()
        self._scheduled.clear()
        self.close()


class World:
    """What a test holds in one interleaving. All times are virtual seconds; all choices come from ``dice``."""

    def __init__(self, loop: _ShuffledLoop) -> None:
        self._loop = loop
        self.dice = loop.dice

    @property
    def now(self) -> float:
        return self._loop.time()

    async def pause(self, *seconds: float) -> None:
        """Waits one of these times, or one of a few short ones."""
        delay = self.dice.choice(seconds or (0.0, 0.0, 0.001, 0.002))
        done = asyncio.Event()
        self._loop.call_later(delay, done.set)
        await done.wait()

    async def answer(
        self, value: T, *seconds: float, failing: float = 0.0, error: Exception | type[Exception] = Crash
    ) -> T:
        """What a fake gives after a pause; raises ``error`` with the probability ``failing``."""
        await self.pause(*seconds)
        if self.chance(failing):
            raise error
        return value

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """What the work gives. Raises TooLate if it has not ended by then, however it ends. Is cancelled along."""
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait([task], timeout=seconds)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        if not done:
            raise TooLate(f"{_name(task)} has not ended within {seconds} s")
        return task.result()

    async def all(self, works: Iterable[Awaitable[T]]) -> list[T]:
        """Runs them at once. The first error is raised when all have ended."""
        tasks = [asyncio.ensure_future(work) for work in works]
        if tasks:
            await asyncio.wait(tasks)
        return [task.result() for task in tasks]

    async def cancelled_sometime(
        self, work: Coroutine[Any, Any, T], *seconds: float, probability: float = 0.5
    ) -> T | None:
        """Like awaiting it, but it may be cancelled at a drawn moment, as when a client hangs up; then None."""
        task = asyncio.ensure_future(work)
        if self.chance(probability):
            self._loop.call_later(self.dice.choice(seconds or (0.0, 0.001, 0.002)), task.cancel)
        with suppress(asyncio.CancelledError):
            return await task
        return None


Scenario = Callable[[World], Coroutine[Any, Any, None]]


def replay(scenario: Scenario, seed: int) -> int:
    """Runs one interleaving and returns the number of its steps. Raises what the scenario raises, Hang, or TooLate."""
    loop = _ShuffledLoop(random.Random(seed))  # noqa: S311 - not for secrets
    problems: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: _note(problems, context))
    with (
        mock.patch.object(time, "monotonic", loop.time),
        mock.patch.object(time, "perf_counter", loop.time),
        mock.patch.object(time, "time", lambda: EPOCH + loop.time()),
    ):
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(scenario(World(loop)))
        finally:
            steps = loop.steps
            loop.wind_up()
            asyncio.set_event_loop(None)
            loop.abandon()
    if problems:
        raise problems[0]
    return steps


def explore(piece: str, scenario: Scenario, interleavings: int | None = None) -> None:
    """Tries the scenario under many seeds. The error of the first that fails is raised, with a note of its seed."""
    wanted = os.environ.get("OPENMUSIC_SEED")
    number = interleavings or int(os.environ.get("OPENMUSIC_INTERLEAVINGS", str(INTERLEAVINGS)))
    seeds = [int(wanted)] if wanted else range(number)
    started, steps = time.perf_counter(), 0
    for seed in seeds:
        try:
            steps += replay(scenario, seed)
        except BaseException as error:
            error.add_note(f"{piece}: interleaving {seed} of {number}; OPENMUSIC_SEED={seed} shows it again")
            raise
    RUNS.append(Run(piece, len(seeds), steps, time.perf_counter() - started))


def _note(problems: list[BaseException], context: dict[str, Any]) -> None:
    """An error that no task raises to anyone: a callback that failed."""
    error = context.get("exception")
    if isinstance(error, BaseException) and "never retrieved" not in context.get("message", ""):
        problems.append(error)


def _name(task: "asyncio.Task[Any] | asyncio.Future[Any]") -> str:
    return task.get_coro().__qualname__ if isinstance(task, asyncio.Task) else repr(task)  # type: ignore[union-attr]
