"""A process of ours whose clock is ahead of all others, or behind them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from importlib.metadata import files
from pathlib import Path

import aiohttp

from openmusic_local.stack import Stack

EXACTNESS = 2.0  # seconds; the clock is read from a header that tells whole seconds
SHIFTED_WITHIN = 20.0  # seconds; a busy process is late to set that header


@asynccontextmanager
async def shifted_clock(stack: Stack, process: str, seconds: float) -> AsyncIterator[None]:
    """The process is started again with libfaketime in front of the C library, and afterwards without it.

    Its monotonic clock goes on as before, as that of a machine does whose time is wrong.
    """
    script = stack.folder / "start" / f"{process}.sh"
    usual = script.read_text()
    shift = {"LD_PRELOAD": _library(), "FAKETIME": f"{seconds:+}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    try:
        await _start_again(stack, process, "".join(f"export {name}={value}\n" for name, value in shift.items()) + usual)
        await _check(stack, process, seconds)
        yield
    finally:
        await _start_again(stack, process, usual)


async def _start_again(stack: Stack, process: str, script: str) -> None:
    await asyncio.to_thread(stack.stop_process, process)
    (stack.folder / "start" / f"{process}.sh").write_text(script)
    await asyncio.to_thread(stack.start_process, process)


async def _check(stack: Stack, process: str, seconds: float) -> None:
    """That its clock is what it should be: a library that cannot be loaded is passed over in silence."""
    address = stack.url if process == "gateway" else stack.service_url(process)
    async with aiohttp.ClientSession() as http, asyncio.timeout(SHIFTED_WITHIN):
        while True:
            asked_at = time.time()
            async with http.get(f"{address}/health/live") as answer:
                told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
            if abs(told - asked_at - seconds) < EXACTNESS:
                return
            await asyncio.sleep(0.1)


def _library() -> Path:
    """Of the package ``libfaketime``, which is not imported: that would start this process again."""
    (library,) = [each for each in files("libfaketime") or () if each.name == "libfaketime.so.1"]
    return Path(str(library.locate()))
