"""Mixed load for a long time: no process may need more and more memory, files, threads, connections or messages.

Run by ``make soak``; OPENMUSIC_SOAK_MINUTES says how long.
"""

import asyncio
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit import Auditor
from clients import Journal, User, client
from crowd import Crowd
from faults import family
from growth import Tolerance, Trend
from pairs import pairs_of
from redis.asyncio import Redis

from openmusic_local.stack import Stack

MINUTES = float(os.environ.get("OPENMUSIC_SOAK_MINUTES", "20"))
INTERVAL = 5.0  # seconds between samples
PAUSE = 1.0  # seconds between two steps of a pair
MEGABYTE = 1_048_576
TOLERANCES = {
    "memory, MB": Tolerance(relative=0.03, absolute=2.0),
    "files": Tolerance(relative=0.10, absolute=10.0),
    "threads": Tolerance(relative=0.0, absolute=4.0),
    "connections": Tolerance(relative=0.10, absolute=4.0),
    "messages": Tolerance(relative=0.05, absolute=20.0),
}
"""Pools fill with the peaks of the load, and those come as they like: a few more are no leak."""
BOUNDED = {("redis", "memory, MB"): 280.0, ("redis", "used, MB"): 256.0}
"""What may grow up to a limit: Redis keeps entries for half an hour, and drops the oldest beyond its 256 MB."""
GROWS_WITH_THE_DATA = {("postgres", "memory, MB"), ("mail", "memory, MB"), ("rabbitmq", "memory, MB"),
                       ("objectstore", "memory, MB")}  # fmt: skip
"""Servers that are not ours and keep in memory what they hold; shown, not judged."""

CONNECTIONS = """
    SELECT application_name, count(*) FROM pg_stat_activity
    WHERE starts_with(application_name, 'openmusic_') GROUP BY application_name
"""

Sample = dict[tuple[str, str], float]


@pytest.mark.timeout(0)
async def test_nothing_grows(
    stack: Stack, auditor: Auditor, users: list[User], capsys: pytest.CaptureFixture[str]
) -> None:
    journal, samples = Journal(), defaultdict[tuple[str, str], list[float]](list)
    async with client(stack.url, journal=journal) as http:
        pairs = pairs_of(users, f"soak-{secrets.token_hex(3)}", http)
        end = time.monotonic() + 60 * MINUTES
        async with Crowd(pairs, PAUSE):
            while time.monotonic() < end:
                await asyncio.sleep(INTERVAL)
                for what, number in (await _sample(stack, auditor)).items():
                    samples[what].append(number)
                await auditor.forget_mails()
    trends = {what: Trend.of(numbers) for what, numbers in samples.items()}
    with capsys.disabled():
        print(f"\n{journal.requests} requests in {MINUTES:g} minutes, failed: {journal.failures}\n" + _table(trends))
    assert [f"{part}: {kind}" for (part, kind), trend in trends.items() if _grows(part, kind, trend)] == []
    assert (journal.lost, journal.halves, journal.wrong, journal.failures) == ([], [], [], {})


def _grows(part: str, kind: str, trend: Trend) -> bool:
    if (part, kind) in BOUNDED:
        return trend.highest > BOUNDED[part, kind]
    return (part, kind) not in GROWS_WITH_THE_DATA and trend.grows(TOLERANCES[kind])


def _table(trends: dict[tuple[str, str], Trend]) -> str:
    rows = ["| part | what | mean | rise in the second half | highest |", "|---|---|---|---|---|"]
    for (part, kind), trend in sorted(trends.items()):
        rows.append(f"| {part} | {kind} | {trend.mean:.1f} | {trend.rise:+.1f} | {trend.highest:.1f} |")
    return "\n".join(rows)


async def _sample(stack: Stack, auditor: Auditor) -> Sample:
    sample = {(part, kind): number for part, pid in stack.pids().items() for kind, number in _of_process(pid)}
    for database, number in await asyncio.to_thread(auditor.select, "catalog", CONNECTIONS):
        sample[database.removeprefix("openmusic_"), "connections"] = number
    async with Redis(port=stack.server_port("redis")) as redis:
        information = await redis.info()
    sample["redis", "connections"] = information["connected_clients"]
    sample["redis", "used, MB"] = information["used_memory"] / MEGABYTE
    for queue, number in (await auditor.waiting()).items():
        sample[queue, "messages"] = number
    return sample


def _of_process(pid: int) -> Iterator[tuple[str, float]]:
    """Of the process and its children. Memory is its share of what is resident: pages of many count in part."""
    processes = [Path("/proc", str(each)) for each in family(pid)]
    kilobytes = [_shared_out(process) for process in processes]
    yield "memory, MB", sum(kilobytes) / 1024
    yield "files", sum(len(_listed(process / "fd")) for process in processes)
    yield "threads", sum(len(_listed(process / "task")) for process in processes)


def _shared_out(process: Path) -> float:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0.0
    return float(next(line.split()[1] for line in lines if line.startswith("Pss:")))


def _listed(folder: Path) -> list[Path]:
    try:
        return [*folder.iterdir()]
    except OSError:
        return []
