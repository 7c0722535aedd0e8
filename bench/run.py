"""Measures the hot paths on a stack of its own, and prints ratios against comparators of the same run."""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
from load import Result, peak_memory, run
from scenarios import ALBUMS, SONGS, build, reads, writes

from openmusic_kit.ids import new_id
from openmusic_local.ports import Ports
from openmusic_local.settings import OUT_OF_REACH
from openmusic_local.stack import Stack, repository

HERE = Path(__file__).parent
HEADER = "| {} | requests/s | p50 ms | p99 ms | errors | CPU s / 1000 | {} |\n|---|---|---|---|---|---|---|"


@contextmanager
def served(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[int]:
    """The pid of a process that listens on the port."""
    process = subprocess.Popen(command, env=environment, cwd=HERE, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not _listens(port):
            if time.monotonic() > deadline:
                sys.exit(f"{command} did not start")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def row(name: str, result: Result, *ratios: str) -> None:
    cpu = sum(result.cpu.values())
    shown = [name, f"{result.rate:,.0f}", f"{result.p50}", f"{result.p99}", f"{result.errors}", f"{cpu:.2f}", *ratios]
    print(f"| {' | '.join(shown)} |", flush=True)


class Bench:
    def __init__(self, stack: Stack, ports: Ports, seconds: float, stays: ExitStack) -> None:
        self._stack = stack
        self._seconds = seconds
        self._world = build(stack.url)
        self._pids = stack.pids()
        edgeless = stack.environment("gateway") | {"PORT": str(ports["edgeless"]), "EDGE_CACHE_BYTES": "0"}
        command = [sys.executable, "-m", "openmusic_gateway", "serve"]
        self._edgeless = stays.enter_context(served(command, ports["edgeless"], edgeless))
        self._ports = ports

    def measure_reads(self, connections: int) -> None:
        print(f"\n{HEADER.format(f'read, {connections} connections', 'ratios')}")
        for name, (service, requests) in reads(self._world).items():
            direct = self._stack.service_url(service)
            alone = self._run(direct, requests, connections, {service: self._pids[service]})
            edgeless = self._run(f"http://127.0.0.1:{self._ports['edgeless']}", requests, connections,
                                 {"gateway": self._edgeless, service: self._pids[service]})  # fmt: skip
            edge = self._run(self._stack.url, requests, connections, self._of("gateway", service))
            naive = self._compare("naive", direct, requests, connections)
            ceiling = self._compare("ceiling", str(self._size(requests[0])), requests, connections)
            of_both = f"{edge.rate / ceiling.rate:.0%} of ceiling, {edge.rate / naive.rate:.1f} × naive"
            row(f"**{name}**: gateway", edge, of_both)
            row("without edge cache", edgeless,
                f"{edgeless.rate / alone.rate:.0%} of direct, {edgeless.rate / naive.rate:.1f} × naive")  # fmt: skip
            row("direct", alone, "")
            row("naive", naive, "")
            row("ceiling", ceiling, "")

    def measure_writes(self) -> None:
        self._world.albums, self._world.songs = self._fill()
        print(f"\n{HEADER.format('write, 32 connections', '')}")
        for name, requests in writes(self._world).items():
            row(name, self._run(self._stack.url, requests, 32, self._pids), "")

    def measure_drain(self, mails: int = 1000) -> None:
        self._wait_for_mails(0)
        self._stack.stop_process("export-worker")
        mail_url = f"{self._stack.mail_url}/api/email"
        requests = writes(self._world)["request export"]
        before = len(httpx.get(mail_url, timeout=60, trust_env=False).json())
        headers = {"Authorization": f"Bearer {self._world.token}"}
        _, path, body = requests[0].split(" ", 2)
        with httpx.Client(base_url=self._stack.url, headers=headers, trust_env=False) as http:
            for _ in range(mails):
                http.post(path, content=body, headers={"Content-Type": "application/json"}).raise_for_status()
        self._stack.start_process("export-worker")
        started = time.monotonic()
        self._wait_for_mails(before + mails)
        print(f"\nexport drain: {mails / (time.monotonic() - started):.0f} mails/s, one worker, {mails} mails")

    def print_memory(self) -> None:
        peaks = {name: peak_memory(pid) / 1_000_000 for name, pid in self._stack.pids().items()}
        print("\npeak memory, MB: " + ", ".join(f"{name} {peak:.0f}" for name, peak in sorted(peaks.items())))

    def _wait_for_mails(self, least: int) -> None:
        """Until so many arrived and no more come."""
        last, since = -1, time.monotonic()
        while last < least or time.monotonic() - since < 1:
            found = len(httpx.get(f"{self._stack.mail_url}/api/email", timeout=60, trust_env=False).json())
            if found != last:
                last, since = found, time.monotonic()
            time.sleep(0.1)

    def _fill(self) -> tuple[list[str], list[str]]:
        """Albums and songs past the API, in the catalogue's own database."""
        albums, songs = [new_id("album") for _ in range(ALBUMS)], [new_id("song") for _ in range(SONGS)]
        settings = self._stack.environment("catalog")
        with psycopg.connect(
            host=settings["PGHOST"], port=int(settings["PGPORT"]), user=settings["PGUSER"],
            password=settings["PGPASSWORD"], dbname=settings["PGDATABASE"],
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            with cursor.copy("COPY albums (id, name, year) FROM STDIN") as copy:
                for album_id in albums:
                    copy.write_row((album_id, "Filled", 2000))
            with cursor.copy("COPY songs (id, title, year, genre, performer) FROM STDIN") as copy:
                for song_id in songs:
                    copy.write_row((song_id, "Filled", 2000, "Bench", "The Threads"))
        return albums, songs

    def _of(self, *names: str) -> dict[str, int]:
        return {name: self._pids[name] for name in names}

    def _run(self, url: str, requests: list[str], connections: int, processes: dict[str, int]) -> Result:
        token, seconds = self._world.token, self._seconds
        return run(url, requests, token=token, connections=connections, seconds=seconds, processes=processes)

    def _compare(self, kind: str, argument: str, requests: list[str], connections: int) -> Result:
        port = self._ports[kind]
        with served([sys.executable, "comparators.py", kind, str(port), argument], port) as pid:
            return self._run(f"http://127.0.0.1:{port}", requests, connections, {kind: pid})

    def _size(self, request: str) -> int:
        headers = {"Authorization": f"Bearer {self._world.token}"}
        return len(httpx.get(self._stack.url + request.split()[1], headers=headers, trust_env=False).content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each run of wrk")
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 256])
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    base = repository() / ".openmusic-test"
    base.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=base))
    folder.chmod(0o755)
    stack = Stack(folder, OUT_OF_REACH, preferred_ports={})
    ports = Ports(folder / "comparators.json", {})
    try:
        stack.start()
        ports.choose(["edgeless", "naive", "ceiling"], {})
        with ExitStack() as stays:
            bench = Bench(stack, ports, arguments.seconds, stays)
            for connections in arguments.connections:
                bench.measure_reads(connections)
            bench.measure_writes()
            bench.measure_drain()
            bench.print_memory()
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
