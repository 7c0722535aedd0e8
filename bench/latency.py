"""How long one client waits: requests one after the other over one connection, and nothing else beside."""

import asyncio
import http.client
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row


@dataclass(frozen=True)
class Latency:
    """Milliseconds; ``size`` is the median of the answers' bytes."""

    p50: float
    p95: float
    size: int

    @classmethod
    def of(cls, seconds: list[float], sizes: list[int]) -> "Latency":
        p95 = quantiles(seconds, n=20)[-1]
        return cls(round(median(seconds) * 1000, 2), round(p95 * 1000, 2), round(median(sizes)))


class Client:
    def __init__(self, url: str, token: str = "") -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.from_cache = False  # whether the last answer was

    def send(self, method: str, path: str, body: str | None = None) -> bytes:
        kind = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, self._headers | kind)
        answer = self._connection.getresponse()
        content = answer.read()
        self.from_cache = answer.headers["X-Data-Source"] == "cache"
        assert answer.status < 300, f"{method} {path}: {answer.status} {content[:200]!r}"
        return content

    def measure(self, paths: list[str], before: Callable[[int], None] = lambda _: None) -> Latency:
        """Of a GET of each path; what happens ``before`` each is not counted."""
        seconds, sizes = [], []
        for number, path in enumerate(paths):
            before(number)
            started = time.perf_counter()
            sizes.append(len(self.send("GET", path)))
            seconds.append(time.perf_counter() - started)
        return Latency.of(seconds, sizes)


def query_latency(settings: dict[str, str], query: Callable[[Any], Awaitable[Any]], rounds: int) -> Latency:
    """Of a query by itself, given a connection to the database that a service has these settings for."""

    async def measured() -> Latency:
        async with await psycopg.AsyncConnection.connect(
            host=settings["PGHOST"], port=int(settings["PGPORT"]), user=settings["PGUSER"],
            password=settings["PGPASSWORD"], dbname=settings["PGDATABASE"], autocommit=True, row_factory=dict_row,
        ) as connection:  # fmt: skip
            await query(connection)
            seconds = []
            for _ in range(rounds):
                started = time.perf_counter()
                await query(connection)
                seconds.append(time.perf_counter() - started)
        return Latency.of(seconds, [0])

    return asyncio.run(measured())
