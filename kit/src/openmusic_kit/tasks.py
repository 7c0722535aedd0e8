"""Background tasks: how they end, and what becomes of their errors."""

import asyncio
from typing import Any

PATIENCE = 1.0  # seconds until a task that did not take a cancellation gets another


async def stop(*tasks: "asyncio.Task[Any]") -> None:
    """Cancels the tasks and returns when they have ended; some libraries swallow a cancellation, so it may take two."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=PATIENCE)
    for task in tasks:
        mark_seen(task)


def mark_seen(task: "asyncio.Future[Any]") -> None:
    """Keeps asyncio from reporting an error that nobody needs any more."""
    if not task.cancelled():
        task.exception()
