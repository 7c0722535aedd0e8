"""Measures the hot paths on a stack of its own, and prints ratios against comparators of the same run."""

import argparse
import json
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import httpx
from data import connected
from latency import Client, query_latency
from load import Result, run
from own_stack import own_stack, served
from results import machine, save
from scenarios import add_material, build, make_covers, reads, writes

from openmusic_catalog.albums.repository import AlbumRepository
from openmusic_local.ports import Ports
from openmusic_local.stack import Stack
from openmusic_operations.system import PROCESSES
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository

HEADER = (
    "| {} | requests/s | p50 ms | p99 ms | errors | CPU s / 1000 | peak MB | {} |\n|---|---|---|---|---|---|---|---|"
)
FIRST_READS = 300


class Bench:
    def __init__(self, stack: Stack, ports: Ports, seconds: int, stays: ExitStack) -> None:
        self._stack = stack
        self._seconds = seconds
        self._world = build(stack.url)
        self._covers = make_covers(stack.folder)
        self._pids = stack.pids()
        edgeless = stack.environment("gateway") | {"PORT": str(ports["edgeless"]), "EDGE_CACHE_BYTES": "0"}
        command = [sys.executable, "-m", "openmusic_gateway", "serve"]
        self._edgeless = stays.enter_context(served(command, ports["edgeless"], edgeless))
        self._ports = ports
        self.rows: list[dict[str, Any]] = []

    def measure_reads(self, connections: int) -> None:
        print(f"\n{HEADER.format(f'read, {connections} connections', 'ratios')}")
        for name, (service, requests) in reads(self._world).items():
            direct = self._stack.service_url(service)
            alone = self._run(direct, requests, connections, self._of(service))
            edgeless = self._run(f"http://127.0.0.1:{self._ports['edgeless']}", requests, connections,
                                 {"gateway": self._edgeless, **self._of(service)})  # fmt: skip
            edge = self._run(self._stack.url, requests, connections, self._of("gateway", service))
            naive = self._compare("naive", direct, requests, connections, self._of(service))
            ceiling = self._compare("ceiling", str(self._size(requests[0])), requests, connections, {})
            of_both = f"{_share(edge, ceiling)} of ceiling, {_times(edge, naive)} × naive"
            without = f"{_share(edgeless, alone)} of direct, {_times(edgeless, naive)} × naive"
            self._row(edge, of_both, scenario=name, connections=connections, kind="gateway")
            self._row(edgeless, without, scenario=name, connections=connections, kind="without edge cache")
            self._row(alone, "", scenario=name, connections=connections, kind="direct")
            self._row(naive, "", scenario=name, connections=connections, kind="naive")
            self._row(ceiling, "", scenario=name, connections=connections, kind="ceiling")

    def measure_writes(self, connections: list[int]) -> None:
        add_material(self._stack, self._world)
        ours = {name: self._pids[name] for name in (*self._of("gateway"), *PROCESSES)}
        for part, count in enumerate(connections):
            print(f"\n{HEADER.format(f'write, {count} connections', '')}")
            for name, requests in writes(self._world, self._covers, part, len(connections)).items():
                result = self._run(self._stack.url, requests, count, ours)
                self._row(result, "", scenario=name, connections=count, kind="write")

    def measure_drain(self, mails: int = 1000) -> float:
        """Mails per second between the first and the last of them, as the export service's database has it."""
        self._until_no_export_waits()
        self._stack.stop_process("export-worker")
        client, address = Client(self._stack.url, self._world.token), "drain@listener.test"
        for _ in range(mails):
            client.send("POST", f"/export/playlists/{self._world.playlist_id}", json.dumps({"targetEmail": address}))
        self._stack.start_process("export-worker")
        self._until_no_export_waits()
        sent, seconds = self._exports(_SENT, address)
        arrived = sum(mail["to"][0]["address"] == address for mail in self._mails())
        assert sent == arrived == mails, f"{mails} mails were wanted, {sent} sent, {arrived} arrived"
        rate = (mails - 1) / float(seconds)
        print(f"\nexport drain: {rate:.0f} mails/s, one worker, {mails} mails")
        return round(rate, 1)

    def measure_first_reads(self) -> list[dict[str, Any]]:
        """One client that changes something and then reads it, against the query of that read by itself."""
        world, client = self._world, Client(self._stack.url, self._world.token)
        song = json.dumps({"songId": world.song_id})
        album = json.dumps({"name": "Measured", "year": 2000})

        def change_playlist(number: int) -> None:
            client.send("POST" if number % 2 else "DELETE", f"/playlists/{world.playlist_id}/songs", song)

        def change_album(_: int) -> None:
            client.send("PUT", f"/albums/{world.album_id}", album)

        def query_playlist(connection: Any) -> Any:
            return PlaylistSongRepository(connection).get(world.playlist_id, without=[])

        def query_album(connection: Any) -> Any:
            return AlbumRepository(connection).get_with_songs(world.album_id, "")

        print(
            "\n| first read after a change | p50 ms | p95 ms | query alone, p50 ms | 2 × that + 2 ms |\n"
            "|---|---|---|---|---|"
        )
        found = []
        for name, path, change, service, query in (
            ("playlist songs", f"/playlists/{world.playlist_id}/songs", change_playlist, "playlist", query_playlist),
            ("album", f"/albums/{world.album_id}", change_album, "catalog", query_album),
        ):
            read = client.measure([path] * FIRST_READS, before=change)
            alone = query_latency(self._stack.environment(service), query, FIRST_READS)
            allowed = round(2 * alone.p50 + 2, 2)
            print(f"| {name} | {read.p50} | {read.p95} | {alone.p50} | {allowed} |")
            found.append({"scenario": name, "read": asdict(read), "query": asdict(alone), "allowed": allowed})
        return found

    def peaks(self) -> dict[str, float]:
        """Megabytes at most in any row, by process."""
        found: dict[str, float] = {}
        for row in self.rows:
            if row["kind"] in {"gateway", "direct", "write"}:
                for name, peak in row["memory"].items():
                    found[name] = max(peak, found.get(name, 0))
        print("\npeak memory, MB: " + ", ".join(f"{name} {peak:.0f}" for name, peak in sorted(found.items())))
        return found

    def _row(self, result: Result, ratios: str, **named: Any) -> None:
        name = named["scenario"] if named["kind"] in {"gateway", "write"} else named["kind"]
        shown = [name, f"{result.rate:,.0f}", f"{result.p50}", f"{result.p99}", f"{result.errors}"]
        shown += [f"{sum(result.cpu.values()):.2f}", f"{max(result.memory.values(), default=0):.0f}", ratios]
        print(f"| {' | '.join(shown)} |", flush=True)
        self.rows.append(result.as_row(**named, ratios=ratios))

    def _mails(self) -> Any:
        return httpx.get(f"{self._stack.mail_url}/api/email", timeout=60, trust_env=False).json()

    def _until_no_export_waits(self) -> None:
        while self._exports("SELECT count(*) FROM export_jobs WHERE status = 'pending'") != (0,):
            time.sleep(0.5)

    def _exports(self, query: str, *parameters: Any) -> Any:
        with connected(self._stack, "export") as connection:
            return connection.execute(query, parameters).fetchone()

    def _of(self, *names: str) -> dict[str, int]:
        return {name: self._pids[name] for name in names}

    def _run(self, url: str, requests: list[str], connections: int, processes: dict[str, int]) -> Result:
        tokens, seconds = [self._world.token], self._seconds
        return run(url, requests, tokens=tokens, connections=connections, seconds=seconds, processes=processes)

    def _compare(
        self, kind: str, argument: str, requests: list[str], connections: int, behind: dict[str, int]
    ) -> Result:
        port = self._ports[kind]
        with served([sys.executable, "comparators.py", kind, str(port), argument], port) as pid:
            return self._run(f"http://127.0.0.1:{port}", requests, connections, {kind: pid, **behind})

    def _size(self, request: str) -> int:
        return len(Client(self._stack.url, self._world.token).send("GET", request.split()[1]))


_SENT = """
    SELECT count(*), extract(epoch FROM max(settled_at) - min(settled_at)) FROM export_jobs
    WHERE target_email = %s AND status = 'sent'
"""


def _share(result: Result, of: Result) -> str:
    return f"{result.rate / of.rate:.0%}" if of.rate else "?"


def _times(result: Result, of: Result) -> str:
    return f"{result.rate / of.rate:.1f}" if of.rate else "?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each run of wrk")
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 256])
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    started, about = time.monotonic(), machine()
    with own_stack() as stack, ExitStack() as stays:
        ports = Ports(stack.folder / "comparators.json", {})
        ports.choose(["edgeless", "naive", "ceiling"], {})
        bench = Bench(stack, ports, arguments.seconds, stays)
        for connections in arguments.connections:
            bench.measure_reads(connections)
        first_reads = bench.measure_first_reads()  # before the writes, whose exports go on for a minute
        bench.measure_writes(arguments.connections)
        drain, peaks = bench.measure_drain(), bench.peaks()
        result = {"machine": about, "rows": bench.rows, "first reads": first_reads, "drain": drain, "peaks": peaks}
        save("run", result)
    print(f"it took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
