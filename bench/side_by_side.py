"""Measures a mix of real use, and single requests, side by side with the monolith.

Both hold the same data and get the same requests. The systems take turns, so that a noisy machine is
unfair to neither; of several rounds the median counts.
"""

import argparse
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from operator import attrgetter, itemgetter
from threading import Event, Thread
from typing import Any, Self, TypeVar

import comparator_monolith
import httpx
from data import PASSWORD, Generator, load_into
from latency import Client, Latency
from load import Result, run
from mix import READS, READS_AND_SEARCHES, SIZES, Dice, Request, song_body
from own_stack import own_stack
from results import machine, save

from openmusic_local.ports import Ports
from openmusic_local.stack import Stack

CELLS = [
    # size, percent of writes, connections, reads
    ("small", 0, 32, READS),
    ("small", 5, 32, READS),
    ("small", 20, 32, READS),
    ("small", 5, 32, READS_AND_SEARCHES),
    ("small", 5, 256, READS),
    ("medium", 5, 32, READS),
    ("large", 5, 32, READS),
]
FASTEST = 12_000  # requests/s that any system may answer: as many are thrown for each second
FIRST_READS = 300
PROBE_INTERVAL = 0.01  # seconds
SETTLE = 3.0  # seconds
WARM_UP = 3  # runs of wrk before those that count: a day of real use does not begin with empty caches

T = TypeVar("T")


@dataclass
class System:
    name: str
    url: str
    tokens: list[str]
    refresh_token: str
    processes: dict[str, int]


class Probe:
    """One more client that reads the same mix, slowly, and notes how long each kind of read takes."""

    def __init__(self, system: System, requests: Iterator[Request]) -> None:
        self._system, self._requests = system, requests
        self._done = Event()
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._from_cache = self._all = 0
        self._thread = Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _read(self) -> None:
        clients = {}
        while not self._done.wait(PROBE_INTERVAL):
            request = next(self._requests)
            if request.user not in clients:
                clients[request.user] = Client(self._system.url, self._system.tokens[request.user - 1])
            started = time.perf_counter()
            clients[request.user].send(request.method, request.path)
            self._seconds[request.kind].append(time.perf_counter() - started)
            self._from_cache += clients[request.user].from_cache
            self._all += 1

    def latencies(self) -> dict[str, dict[str, float]]:
        """Milliseconds by kind."""
        return {
            kind: {"p50": _milliseconds(seconds, 0.5), "p99": _milliseconds(seconds, 0.99)}
            for kind, seconds in self._seconds.items()
        }

    @property
    def share_from_cache(self) -> float:
        return round(self._from_cache / max(self._all, 1), 3)


class SideBySide:
    """Both systems with the data of one size."""

    def __init__(self, stack: Stack, made: Generator, ours: System, other: System, seconds: int, rounds: int) -> None:
        self._stack, self._made, self._systems = stack, made, (other, ours)
        self._seconds, self._rounds = seconds, rounds
        self._seed = 0

    def measure_mix(self, reads: Mapping[str, int], writes_percent: int, connections: int) -> dict[str, Any]:
        """Of each system the round whose rate is the median."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for number in range(-WARM_UP, self._rounds):
            dice = self._dice(connections)
            requests = list(islice(dice.requests(reads, writes_percent), FASTEST * self._seconds))
            for system in self._systems:
                if number < 0:
                    self._run(system, requests, connections)
                    continue
                logged = self._logged()
                with Probe(system, dice.requests(reads, 0)) as probe:
                    result = self._run(system, requests, connections)
                row = result.as_row(latencies=probe.latencies(), from_cache=probe.share_from_cache)
                if system.name == "OpenMusic":
                    answered = result.rate * self._seconds * (1 - writes_percent / 100)
                    row["at edge"] = round(1 - (self._logged() - logged) / answered, 3)
                found[system.name].append(row)
        return {name: _median(rows, itemgetter("rate")) for name, rows in found.items()}

    def measure_singles(self) -> dict[str, dict[str, Any]]:
        """Requests/s of one kind of request each."""
        found: dict[str, dict[str, Any]] = {}
        for name, requests in self._singles().items():
            rates: dict[str, list[Result]] = defaultdict(list)
            for _ in range(self._rounds):
                batch = list(islice(requests, 3000 * self._seconds))
                for system in self._systems:
                    rates[system.name].append(self._run(system, batch, 32))
            found[name] = {system: asdict(_median(results, attrgetter("rate"))) for system, results in rates.items()}
        return found

    def measure_first_reads(self) -> dict[str, dict[str, Latency]]:
        """Of one client: each path once, so that no answer has been cached for it."""
        made = self._made
        paths = {
            "playlist songs": [f"/playlists/{p[0]}/songs" for p in made.playlists if p[2] == made.users[-1][0]],
            "album": [f"/albums/{album[0]}" for album in made.albums],
            "likes": [f"/albums/{album[0]}/likes" for album in made.albums],
            "song": [f"/songs/{song[0]}" for song in made.songs],
        }
        measured = {}
        for name, all_paths in paths.items():
            chosen = all_paths[-FIRST_READS:]  # far down in Zipf's order: nothing has asked for most of them
            measured[name] = {
                system.name: Client(system.url, system.tokens[-1]).measure(chosen) for system in self._systems
            }
        measured["playlists"] = {
            system.name: Latency.of([self._first_list(system, token) for token in system.tokens[-FIRST_READS:]], [0])
            for system in self._systems
        }
        return measured

    @staticmethod
    def _first_list(system: System, token: str) -> float:
        client = Client(system.url, token)
        client.send("GET", "/health/live")  # connects
        started = time.perf_counter()
        client.send("GET", "/playlists")
        return time.perf_counter() - started

    def _singles(self) -> dict[str, Iterator[Request]]:
        dice, made, users = self._dice(32), self._made, len(self._made.users)
        song, user = song_body(made.songs[0]), 1
        likes = (
            Request("like", number + 1, "POST", f"/albums/{album[0]}/likes")
            for number in range(users)
            for album in made.albums
        )
        login = {"username": made.users[0][1], "password": PASSWORD}
        return {
            "create song": _again(Request("create song", user, "POST", "/songs", song)),
            "rename song": dice.of("rename song"),
            "add to playlist": dice.of("add song"),
            "like": likes,
            "create playlist": _again(Request("create playlist", user, "POST", "/playlists", {"name": "Made"})),
            "log in": _again(Request("log in", user, "POST", "/authentications", login)),
            "refresh": _again(Request("refresh", user, "PUT", "/authentications", {"refreshToken": "@"})),
            "search, each once": dice.of("search"),
            "search, repeated": _again(next(dice.of("search"))),
        }

    def _run(self, system: System, requests: list[Request], connections: int) -> Result:
        lines = [request.line.replace('"@"', f'"{system.refresh_token}"') for request in requests]
        return run(
            system.url, lines, tokens=system.tokens, connections=connections, seconds=self._seconds,
            processes=system.processes,
        )  # fmt: skip

    def _dice(self, connections: int) -> Dice:
        self._seed += 1
        return Dice(self._made, connections, self._seed)

    def _logged(self) -> int:
        """Reads that went to the services so far, by their logs."""
        time.sleep(0.3)  # until the lines are written
        logs = (self._stack.log(name).read_bytes() for name in ("catalog", "playlist"))
        return sum(log.count(b'"method": "GET", "path": "/') - log.count(b'"path": "/internal/') for log in logs)


def _median(rounds: list[T], rate: Callable[[T], float]) -> T:
    return sorted(rounds, key=rate)[len(rounds) // 2]


def _again(request: Request) -> Iterator[Request]:
    while True:
        yield request


def _milliseconds(seconds: list[float], share: float) -> float:
    return round(sorted(seconds)[int(len(seconds) * share)] * 1000, 2)


@contextmanager
def both(size: str, seconds: int, rounds: int) -> Iterator[SideBySide]:
    with own_stack() as stack, ExitStack() as stays:
        made = Generator(SIZES[size], seed=1)
        load_into(stack, made)
        ports = Ports(stack.folder / "comparators.json", {})
        ports.choose(["monolith"], {})
        pid = stays.enter_context(comparator_monolith.monolith(stack, made, ports["monolith"]))
        other_url = f"http://127.0.0.1:{ports['monolith']}"
        servers = {"postgres": stack.pids()["postgres"]}
        ours = System("OpenMusic", stack.url, *_log_in(stack.url, made), stack.pids())
        tokens = [comparator_monolith.token(user_id) for user_id, _ in made.users]
        _, refresh_token = _session(other_url, made.users[0][1])
        other = System("monolith", other_url, tokens, refresh_token, {"monolith": pid, **servers})
        _wait_until_responses_are_kept(stack)
        yield SideBySide(stack, made, ours, other, seconds, rounds)


def _wait_until_responses_are_kept(stack: Stack) -> None:
    """A gateway that has just started keeps them for a second only, until no change can be older than itself."""
    address = f"{stack.service_url('playlist')}/health/cache-generation"
    time.sleep(httpx.get(address, trust_env=False).raise_for_status().json()["longest_change"] + SETTLE)


def _log_in(url: str, made: Generator) -> tuple[list[str], str]:
    """Everyone's access token, and a refresh token of the first."""
    with ThreadPoolExecutor(4) as pool:
        sessions = list(pool.map(lambda user: _session(url, user[1]), made.users))
    return [access for access, _ in sessions], sessions[0][1]


def _session(url: str, username: str) -> tuple[str, str]:
    body = {"username": username, "password": PASSWORD}
    answer = httpx.post(f"{url}/authentications", json=body, timeout=60, trust_env=False).raise_for_status()
    data = answer.json()["data"]
    return data["accessToken"], data["refreshToken"]


def _show(title: str, found: dict[str, Any]) -> None:
    other, ours = found["monolith"], found["OpenMusic"]
    cpu = {name: sum(row["cpu"].values()) for name, row in found.items()}
    ratio = ours["rate"] / other["rate"]
    by_process = ", ".join(f"{name} {used:.2f}" for name, used in sorted(ours["cpu"].items(), key=lambda x: -x[1]))
    rates = [f"{row['rate']:,.0f}/s at {cpu[name]:.2f} ms CPU" for name, row in found.items()]
    errors = [row["errors"] for row in found.values()]
    caches = f"edge {ours['at edge']:.0%}, all caches {ours['from_cache']:.0%}; " if "at edge" in ours else ""
    print(f"{title}: {' | '.join(rates)} | {ratio:.1f} x | errors {errors} | {caches}{by_process}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["small", "medium"])
    parser.add_argument("--only", choices=["mix", "singles"], help="leaves the other out")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    started, about = time.monotonic(), machine()
    result: dict[str, Any] = {"machine": about, "mix": [], "singles": {}, "first reads": {}}
    for size in arguments.sizes:
        with both(size, arguments.seconds, arguments.rounds) as systems:
            if arguments.only != "singles":
                for _, writes_percent, connections, reads in (cell for cell in CELLS if cell[0] == size):
                    searches = reads is READS_AND_SEARCHES
                    found = systems.measure_mix(reads, writes_percent, connections)
                    cell = {"size": size, "writes": writes_percent, "connections": connections, "searches": searches}
                    result["mix"].append(cell | found)
                    _show(", ".join(f"{name} {value}" for name, value in cell.items()), found)
            if arguments.only != "mix" and size != "large":
                first = systems.measure_first_reads() if size == "medium" else {}
                result["first reads"] |= {
                    name: {system: asdict(each) for system, each in of.items()} for name, of in first.items()
                }
                for name, of in first.items():
                    waits = ", ".join(f"{system} {each.p50} ms" for system, each in of.items())
                    print(f"first read, {name}: {waits}")
                result["singles"][size] = systems.measure_singles()
                for name, found in result["singles"][size].items():
                    _show(f"{size}, {name}", found)
    save("mix", result)
    print(f"it took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
