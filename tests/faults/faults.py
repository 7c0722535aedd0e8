"""What can happen to a part. Each fault takes some seconds; when it returns, it has ended."""

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clocks import shifted_clock
from network import Network, Weather
from redis.asyncio import Redis

from openmusic_local.settings import known_to
from openmusic_local.stack import Stack
from openmusic_operations.system import PROCESSES

SERVERS = {"postgres": "PostgreSQL", "redis": "Redis", "rabbitmq": "RabbitMQ", "objectstore": "storage", "mail": "SMTP"}
PARTS = (*SERVERS, *PROCESSES)
USING_REDIS = tuple(process for process in PROCESSES if "REDIS_PORT" in known_to(process))
KEEPING_TIME = ("auth", "gateway")
"""Who signs tokens, and who is the first to check them."""
OUTAGE = 3.0  # seconds between stop and start
PAUSE = 10.0
SLOWNESS = 2.0  # seconds that each answer arrives later
ROUGH = 8.0  # seconds that the network is slow, cuts, or loses everything, and that clocks differ
SKEW = 5.0  # seconds between two clocks
FLUSH_INTERVAL = 0.5  # seconds between two times that Redis is emptied


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


async def vanished(ground: Ground, part: str) -> None:
    """Open connections are never heard of again, as when a node dies or a firewall forgets them."""
    await _in_weather(ground, part, Weather(vanishing=True))


async def emptied(ground: Ground, part: str) -> None:
    """It goes on without anything that it held."""
    await _EMPTYING[part](ground)


async def _empty_broker(ground: Ground) -> None:
    await asyncio.to_thread(ground.stack.stop_process, "rabbitmq")
    await asyncio.to_thread(shutil.rmtree, ground.stack.folder / "rabbitmq" / "data")
    await asyncio.sleep(OUTAGE)
    await asyncio.to_thread(ground.stack.resume, "rabbitmq")
    await ground.ready("rabbitmq")


async def _empty_redis(ground: Ground) -> None:
    """Again and again, so that it meets whatever is being stored just then."""
    async with Redis(port=ground.stack.server_port("redis")) as redis, asyncio.timeout(ROUGH + PAUSE):
        for _ in range(int(ROUGH / FLUSH_INTERVAL)):
            await redis.flushall()
            await asyncio.sleep(FLUSH_INTERVAL)


_EMPTYING = {"rabbitmq": _empty_broker, "redis": _empty_redis}


def _without_redis(weather: Weather) -> Fault:
    """Of this process alone: the others reach Redis as before."""

    async def cut_off(ground: Ground, process: str) -> None:
        await asyncio.to_thread(ground.network.change_one, process, "redis", weather)
        try:
            await asyncio.sleep(ROUGH)
        finally:
            await asyncio.to_thread(ground.network.change_one, process, "redis", Weather())

    return cut_off


def _clock(difference: float) -> Fault:
    async def shifted(ground: Ground, process: str) -> None:
        async with shifted_clock(ground.stack, process, difference):
            await asyncio.sleep(ROUGH)

    return shifted


async def nothing(_ground: Ground, _part: str) -> None:
    """A day without any fault, on which no request may fail."""
    await asyncio.sleep(ROUGH)


FAULTS: dict[str, Fault] = {
    **{each.__name__: each for each in (killed, restarted, paused, slow, cut, vanished, emptied, nothing)},
    "Redis refused": _without_redis(Weather(refusing=True)),
    "Redis vanished": _without_redis(Weather(vanishing=True)),
    "Redis slow": _without_redis(Weather(delay=SLOWNESS)),
    "clock ahead": _clock(SKEW),
    "clock behind": _clock(-SKEW),
}
CELLS = (
    ("everything", "nothing"),
    *((part, fault) for part in PARTS for fault in ("killed", "restarted", "paused", "slow", "cut", "vanished")),
    *((part, "emptied") for part in _EMPTYING),
    *((part, f"Redis {fault}") for part in USING_REDIS for fault in ("refused", "vanished", "slow")),
    *((part, f"clock {direction}") for part in KEEPING_TIME for direction in ("ahead", "behind")),
)
"""Which part fails in which way."""


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
