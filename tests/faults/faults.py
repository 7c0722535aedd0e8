"""What can happen to a part. Each fault takes some seconds; when it returns, it has ended."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from network import Network, Weather

from openmusic_local.processes import PROCESSES
from openmusic_local.stack import Stack

SERVERS = {"postgres": "PostgreSQL", "redis": "Redis", "rabbitmq": "RabbitMQ", "objectstore": "storage", "mail": "SMTP"}
PARTS = (*SERVERS, *PROCESSES)
OUTAGE = 3.0  # seconds between stop and start
PAUSE = 10.0
SLOWNESS = 2.0  # seconds that each answer arrives later
ROUGH = 8.0  # seconds that the network is slow, or cuts


@dataclass(frozen=True)
class Ground:
    """Where faults happen."""

    stack: Stack
    network: Network

    async def weather(self, part: str, weather: Weather) -> None:
        way = "smtp" if part == "mail" else part
        await asyncio.to_thread(self.network.change, way, weather)

    async def ready(self, part: str) -> None:
        await asyncio.to_thread(self.stack.wait_ready, part)


Fault = Callable[[Ground, str], Awaitable[None]]


async def killed(ground: Ground, part: str) -> None:
    """With all its children, as when the machine dies. The supervisor starts it again."""
    _signal(ground.stack.pids()[part], signal.SIGKILL)
    if part in SERVERS:
        await ground.ready(part)


async def restarted(ground: Ground, part: str) -> None:
    await asyncio.to_thread(ground.stack.stop_process, part)
    await asyncio.sleep(OUTAGE)
    await asyncio.to_thread(ground.stack.resume, part)
    if part in SERVERS:
        await ground.ready(part)


async def paused(ground: Ground, part: str) -> None:
    pid = ground.stack.pids()[part]
    _signal(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(PAUSE)
    finally:
        _signal(pid, signal.SIGCONT)


async def slow(ground: Ground, part: str) -> None:
    await _in_weather(ground, part, Weather(delay=SLOWNESS))


async def cut(ground: Ground, part: str) -> None:
    await _in_weather(ground, part, Weather(cutting=True))


FAULTS: dict[str, Fault] = {each.__name__: each for each in (killed, restarted, paused, slow, cut)}


async def _in_weather(ground: Ground, part: str, weather: Weather) -> None:
    await ground.weather(part, weather)
    try:
        await asyncio.sleep(ROUGH)
    finally:
        await ground.weather(part, Weather())


def _signal(pid: int, number: signal.Signals) -> None:
    """To the process and all that it started: PostgreSQL's back ends, RabbitMQ's virtual machine."""
    for each in family(pid):
        with suppress(ProcessLookupError):
            os.kill(each, number)


def family(pid: int) -> list[int]:
    """The process, its children, and theirs."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found
