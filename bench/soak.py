"""Loads a stack of its own steadily, and looks every few seconds at the memory of each process."""

import argparse
import shutil
import sys
import threading
import time
from typing import Any

from data import Size, connected, fill
from load import run
from own_stack import own_stack
from processes import memory
from results import machine, save
from scenarios import World, add_material, build, make_covers, reads, writes

from openmusic_local.stack import Stack
from openmusic_operations.system import PROCESSES

EVERY = 10.0  # seconds between two looks
COPIES = 40  # of a long answer, each kept by itself: together more than the edge cache may hold
LONG_PLAYLIST = 10_000  # songs


class Samples:
    """Megabytes of each process over time, taken in a thread of their own."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self.seconds: list[float] = []
        self.memory: dict[str, list[float]] = {name: [] for name in pids}

    def __enter__(self) -> "Samples":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _take(self) -> None:
        started = time.monotonic()
        while True:
            self.seconds.append(round(time.monotonic() - started, 1))
            for name, pid in self._pids.items():
                self.memory[name].append(memory(pid))
            if self._stopping.wait(EVERY):
                return


def mixture(world: World, stack: Stack, long_playlist: str) -> list[str]:
    """A thousand requests: mostly reads that repeat, every tenth a write, and answers that fill the edge cache."""
    repeated = [request for _, requests in reads(world).values() for request in requests]
    once = writes(world, make_covers(stack.folder), 0, 1)
    often = [once[name][0] for name in ("create song", "log in", "request export")] + once["upload cover"][:5]
    long = [f"GET /playlists/{long_playlist}/songs?copy={copy}" for copy in range(COPIES)]
    rarely = {10: often, 25: long}
    return [
        next((kind[number // step % len(kind)] for step, kind in rarely.items() if number % step == 0),
             repeated[number % len(repeated)])
        for number in range(1000)
    ]  # fmt: skip


def make_long_playlist(world: World, stack: Stack) -> str:
    """One with many songs, of the user who asks."""
    filled = fill(stack, Size(LONG_PLAYLIST, 1_000, 100, 10, LONG_PLAYLIST, 2))
    with connected(stack, "playlist") as connection:
        connection.execute("UPDATE playlists SET owner_id = %s WHERE id = %s", (world.user_id, filled.long_playlist))
    return filled.long_playlist


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--connections", type=int, default=32)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    about = machine()
    with own_stack() as stack:
        world = build(stack.url)
        add_material(stack, world)
        requests = mixture(world, stack, make_long_playlist(world, stack))
        pids = {name: pid for name, pid in stack.pids().items() if name in PROCESSES}
        with Samples(pids) as samples:
            load = run(
                stack.url, requests, tokens=[world.token], connections=arguments.connections,
                seconds=round(arguments.minutes * 60), processes=pids,
            )  # fmt: skip
        print(f"{load.rate:,.0f} requests/s, {load.errors} errors; MB after a minute, at the end, at the peak:")
        for name, series in samples.memory.items():
            print(f"  {name:14} {_after_a_minute(samples.seconds, series):6.1f} {series[-1]:6.1f} {max(series):6.1f}")
        result: dict[str, Any] = {
            "machine": about,
            "load": load.as_row(connections=arguments.connections),
            "seconds": samples.seconds,
            "memory": samples.memory,
        }
        save("soak", result)


def _after_a_minute(seconds: list[float], series: list[float]) -> float:
    return next((held for when, held in zip(seconds, series, strict=True) if when >= 60), series[-1])


if __name__ == "__main__":
    main()
