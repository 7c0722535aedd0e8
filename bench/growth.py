"""Measures how answers slow down as data, connections and replicas grow, on a stack of its own."""

import argparse
import random
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from typing import Any, LiteralString
from urllib.parse import urlencode

import httpx
from data import INVENTED_WORDS, PASSWORD, Filled, Size, connected, fill
from latency import Client, Latency, query_latency
from load import run
from own_stack import own_stack, served
from results import machine, save
from vocabulary import WORDS, invented

from openmusic_local.ports import Ports
from openmusic_local.stack import Stack
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository

SHARES = (0.01, 0.09, 0.9)  # of the full size; each is added to those before
CONNECTIONS = (8, 32, 128, 256, 512)
SAMPLE = 2_000  # different things that are read in turn, so that no cache helps
SEARCHES = 60  # of each kind
PAGES = 100
SHORT_PAGE = "50"  # songs
FIRST_READS = 30


def searches() -> dict[str, list[dict[str, str]]]:
    """By kind, what is searched for; the same whatever the size."""
    common = [word for word in WORDS[:120] if len(word) > 2]
    rare = list(islice(invented(random.Random(0)), INVENTED_WORDS))[2_000::400]  # noqa: S311 - data, not secrets
    return {
        "title, frequent": [{"title": word} for word in common],
        "title, rare": [{"title": word} for word in rare],
        "title, none": [{"title": f"qx{word}zj"} for word in rare],
        "performer, frequent": [{"performer": word.upper()} for word in common],
        "performer, rare": [{"performer": word} for word in rare],
        "both, frequent": [{"title": a, "performer": b} for a, b in zip(common, common[7:], strict=False)],
        "both, rare": [{"title": a, "performer": b} for a, b in pairwise(rare)],
        "one letter": [{"title": letter} for letter in "aeioutnqüé夜ж%_&!"],
        "two letters": [
            {"title": pair} for pair in ("lo", "th", "qu", "zz", "qx", "ça", "夜 ", "0%", "c_", "'n", "ño", "№!")
        ],
        "not ASCII": [
            {"title": word} for word in ("любовь", "НОЧЬ", "corazón", "GRÖSSE", "größe", "사랑", "音楽", "żółty")
        ],
        "with % and _": [{"title": word} for word in ("100%", "c_major", "take_five", "%%%", "__", "50% of", "_%_")],
    }


@dataclass
class Growth:
    stack: Stack
    edgeless: str
    seconds: int
    token: str = ""

    def log_in(self, filled: Filled) -> None:
        body = {"username": filled.username, "password": PASSWORD}
        answer = httpx.post(f"{self.stack.url}/authentications", json=body, trust_env=False).raise_for_status()
        self.token = answer.json()["data"]["accessToken"]

    def measure_size(self, filled: Filled) -> dict[str, Any]:
        client = Client(self.stack.url, self.token)
        everything = {kind: self._search(client, wanted) for kind, wanted in searches().items()}
        overall = [query for wanted in searches().values() for query in _repeated(wanted)]
        random.Random(1).shuffle(overall)  # noqa: S311 - an order, not a secret
        return {
            "search": {kind: asdict(latency) for kind, latency in everything.items()},
            "search, all": asdict(client.measure([_search_path(query) for query in overall])),
            "search, short pages": asdict(
                client.measure([_search_path({**query, "limit": SHORT_PAGE}) for query in overall])
            ),
            "pages": {name: asdict(latency) for name, latency in self._pages(client, filled).items()},
            "reads": dict(self._reads(filled)),
        }

    def _search(self, client: Client, wanted: list[dict[str, str]]) -> Latency:
        client.measure([_search_path(query) for query in wanted])  # so that both sizes come from memory
        return client.measure([_search_path(query) for query in _repeated(wanted)])

    def _pages(self, client: Client, filled: Filled) -> dict[str, Latency]:
        """The first page of a list and a late one; ``n`` makes each request one that no gateway has kept."""
        lists = {
            "songs": ("/songs", 50),
            "playlists": ("/playlists", 10),
            "activities": (f"/playlists/{filled.long_playlist}/activities", 50),
        }
        found = {}
        for name, (path, pages) in lists.items():
            late = self._late_page(path, pages)
            for which, address in (("first", f"{path}?limit=100"), ("late", late)):
                found[f"{name}, {which} page"] = client.measure([f"{address}&n={n}" for n in range(PAGES)])
        return found

    def _late_page(self, path: str, pages: int) -> str:
        """The address of the page that so many of 100 are before, or of the last but one."""
        address = f"{path}?limit=100"
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.stack.url, headers=headers, trust_env=False) as http:
            for _ in range(pages):
                answer = http.get(address).raise_for_status()
                if "next" not in answer.links:
                    break
                address = answer.links["next"]["url"]
        return address

    def _reads(self, filled: Filled) -> list[tuple[str, float]]:
        """Requests per second of reads that are each of something else, past the edge cache."""
        songs = self._sample("catalog", "SELECT id FROM songs")
        albums = self._sample("catalog", "SELECT id FROM albums")
        playlists = self._sample("playlist", "SELECT id FROM playlists WHERE owner_id = %s", filled.user_id)
        return [
            (name, self._rate(self.edgeless, [f"GET {before}{each}{after}" for each in ids]))
            for name, before, ids, after in (
                ("song", "/songs/", songs, ""),
                ("album", "/albums/", albums, ""),
                ("playlist songs", "/playlists/", playlists, "/songs"),
            )
        ]

    def _sample(self, service: str, query: LiteralString, *parameters: str) -> list[str]:
        with connected(self.stack, service) as connection:
            rows = connection.execute(query, parameters).fetchall()
        return random.Random(2).sample([row[0] for row in rows], min(SAMPLE, len(rows)))  # noqa: S311

    def _rate(self, url: str, requests: list[str], connections: int = 32) -> float:
        return run(url, requests, tokens=[self.token], connections=connections, seconds=self.seconds).rate

    def measure_connections(self, filled: Filled) -> dict[str, Any]:
        read = [f"GET /playlists/{filled.short_playlist}/songs"]
        found: dict[str, Any] = {"connections": list(CONNECTIONS)}
        for name, url in (("edge cache", self.stack.url), ("without edge cache", self.edgeless)):
            results = [
                run(url, read, tokens=[self.token], connections=count, seconds=self.seconds) for count in CONNECTIONS
            ]
            found[name] = [asdict(result) for result in results]
        return found

    def measure_long_playlist(self, filled: Filled) -> dict[str, Any]:
        """Bytes per second of cached reads of a long and a short one, and the first read of each."""
        found = {}
        for name, playlist_id in (("short", filled.short_playlist), ("long", filled.long_playlist)):
            path = f"/playlists/{playlist_id}/songs"
            client = Client(self.stack.url, self.token)
            size = len(client.send("GET", path))
            first = client.measure([path] * FIRST_READS, before=self._song_changes(client, playlist_id))
            alone = self._query_alone(playlist_id)
            row: dict[str, Any] = {"bytes": size, "first read": asdict(first), "query": asdict(alone)}
            for kind, url in (("edge cache", self.stack.url), ("without edge cache", self.edgeless)):
                row[kind] = self._rate(url, [f"GET {path}"])
            found[name] = row
        return found

    def _query_alone(self, playlist_id: str) -> Latency:
        return query_latency(
            self.stack.environment("playlist"),
            lambda connection: PlaylistSongRepository(connection).get(playlist_id, without=[]),
            FIRST_READS,
        )

    def _song_changes(self, client: Client, playlist_id: str) -> Callable[[int], None]:
        with connected(self.stack, "playlist") as connection:
            row = connection.execute(
                "SELECT id FROM songs s WHERE NOT EXISTS (SELECT 1 FROM playlist_songs "
                "WHERE playlist_id = %s AND song_id = s.id) LIMIT 1",
                (playlist_id,),
            ).fetchone()
        assert row is not None
        path, body = f"/playlists/{playlist_id}/songs", f'{{"songId": "{row[0]}"}}'

        def change(number: int) -> None:
            client.send("DELETE" if number % 2 else "POST", path, body)

        return change

    def measure_replicas(self, filled: Filled, ports: Ports) -> dict[str, Any]:
        """One playlist service and then two, behind a gateway without edge cache."""
        environment = self.stack.environment("playlist") | {"PORT": str(ports["second"])}
        first, second = self.stack.service_url("playlist"), f"http://127.0.0.1:{ports['second']}"
        read = [f"GET /playlists/{filled.short_playlist}/songs"]
        found = {}
        with served([sys.executable, "-m", "openmusic_playlist", "serve"], ports["second"], environment) as pid:
            for name, addresses in (("1", first), ("2", f"{first},{second}")):
                given = self.stack.environment("gateway") | {
                    "PORT": str(ports["balancing"]), "EDGE_CACHE_BYTES": "0", "PLAYLIST_URL": addresses
                }  # fmt: skip
                command = [sys.executable, "-m", "openmusic_gateway", "serve"]
                with served(command, ports["balancing"], given) as gateway:
                    processes = {"gateway": gateway, "playlist": self.stack.pids()["playlist"], "second": pid}
                    url = f"http://127.0.0.1:{ports['balancing']}"
                    result = run(
                        url, read, tokens=[self.token], connections=64, seconds=self.seconds, processes=processes
                    )
                busy = {each: round(cpu * result.rate / 1000, 2) for each, cpu in result.cpu.items()}
                found[name] = asdict(result) | {"processors": busy}
        return found


def _search_path(query: dict[str, str]) -> str:
    return f"/songs?{urlencode(query)}"


def _repeated(wanted: list[dict[str, str]]) -> list[dict[str, str]]:
    return [wanted[number % len(wanted)] for number in range(SEARCHES)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each run of wrk")
    parser.add_argument("--share", type=float, default=1, help="of the full size, 1 000 000 songs and so on")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    started, about = time.monotonic(), machine()

    def report(line: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {line}", flush=True)

    with own_stack() as stack, ExitStack() as stays:
        ports = Ports(stack.folder / "replicas.json", {})
        ports.choose(["edgeless", "second", "balancing"], {})
        edgeless = stack.environment("gateway") | {"PORT": str(ports["edgeless"]), "EDGE_CACHE_BYTES": "0"}
        command = [sys.executable, "-m", "openmusic_gateway", "serve"]
        stays.enter_context(served(command, ports["edgeless"], edgeless))
        growth = Growth(stack, f"http://127.0.0.1:{ports['edgeless']}", arguments.seconds)
        sizes, songs = [], 0
        for seed, share in enumerate(SHARES, start=1):
            size = Size().times(share * arguments.share)
            filled = fill(stack, size, seed, report)
            songs += size.songs
            growth.log_in(filled)
            sizes.append({"songs": songs, **growth.measure_size(filled)})
            everything = sizes[-1]["search, all"]
            report(f"{songs} songs: searches p50 {everything['p50']} ms, p95 {everything['p95']} ms")
        result = {
            "machine": about,
            "sizes": sizes,
            "long playlist": growth.measure_long_playlist(filled),
            "connections": growth.measure_connections(filled),
            "replicas": growth.measure_replicas(filled, ports),
        }
        save("growth", result)
    report("done")


if __name__ == "__main__":
    main()
