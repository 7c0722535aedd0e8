"""Runs what a command does with something that is opened for it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def run_with(opening: AbstractAsyncContextManager[S], action: Callable[[S], Awaitable[T]]) -> T:
    """Returns what ``action`` does with what is opened. Raises what either raises."""

    async def run() -> T:
        async with opening as opened:
            return await action(opened)

    return asyncio.run(run())
