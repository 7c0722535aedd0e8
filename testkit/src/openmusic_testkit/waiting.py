"""Waits for a condition, with a deadline and without a guess at how long it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")

DEADLINE = 20.0
"""Seconds until a wait fails, unless the test says otherwise."""
INTERVAL = 0.02  # seconds


async def eventually(condition: Callable[[], T | Awaitable[T]], seconds: float = DEADLINE) -> T:
    """The first true result of the condition, which may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        found = await cast("Awaitable[T]", result) if isinstance(result, Awaitable) else result
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(INTERVAL)


def wait_until(condition: Callable[[], T], seconds: float = DEADLINE, interval: float = INTERVAL) -> T:
    """The same for tests that run no event loop."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(interval)
    return found
