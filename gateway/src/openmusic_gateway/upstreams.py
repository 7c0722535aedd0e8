"""The replicas of a service: requests go round robin, and a replica that fails is ejected for a while."""

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from yarl import URL

from openmusic_kit import tasks

logger = logging.getLogger(__name__)

RESOLVE_INTERVAL = 2.0  # seconds between DNS lookups
EJECTION_TIME = 3.0  # seconds that a failed replica comes last


@dataclass
class Upstream:
    """One service. ``replicas`` are base addresses such as ``http://10.0.0.7:5102``."""

    urls: list[URL]
    replicas: list[str] = field(default_factory=list)
    _next: "itertools.count[int]" = field(default_factory=itertools.count)
    _next_check: "itertools.count[int]" = field(default_factory=itertools.count)
    _down_until: dict[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, setting: str) -> "Upstream":
        urls = [URL(url.strip().rstrip("/")) for url in setting.split(",") if url.strip()]
        return cls(urls, [str(url) for url in urls])

    def round_robin(self) -> list[str]:
        """All replicas in the order to try them; those that are down come last."""
        return self._beginning_with(next(self._next))

    def to_check(self) -> str:
        """Each replica in turn, without a change to the turns of requests."""
        return self._beginning_with(next(self._next_check))[0]

    def _beginning_with(self, number: int) -> list[str]:
        start = number % len(self.replicas)
        ordered = self.replicas[start:] + self.replicas[:start]
        if not self._down_until:
            return ordered
        now = time.monotonic()
        return sorted(ordered, key=lambda replica: self._down_until.get(replica, 0.0) > now)

    def mark_down(self, replica: str) -> None:
        self._down_until[replica] = time.monotonic() + EJECTION_TIME

    def mark_up(self, replica: str) -> None:
        self._down_until.pop(replica, None)

    async def resolve(self) -> None:
        """Looks up all addresses of the names. Keeps the present replicas when a lookup fails."""
        loop = asyncio.get_running_loop()
        found: list[str] = []
        for url in self.urls:
            try:
                found_here = await loop.getaddrinfo(url.host, url.port, family=socket.AF_INET, type=socket.SOCK_STREAM)
            except OSError as error:
                logger.warning("name not resolved", extra={"host": url.host, "error": repr(error)})
                return
            found += [str(url.with_host(str(answer[4][0]))) for answer in found_here]
        self.replicas = list(dict.fromkeys(found)) or self.replicas


@asynccontextmanager
async def resolving(upstreams: list[Upstream]) -> AsyncIterator[None]:
    """Resolves all names once before the block begins, and regularly inside it."""

    async def resolve_all() -> None:
        await asyncio.gather(*(upstream.resolve() for upstream in upstreams))

    async def keep_resolving() -> None:
        while True:
            await asyncio.sleep(RESOLVE_INTERVAL)
            await resolve_all()

    await resolve_all()
    task = asyncio.create_task(keep_resolving(), name="resolving")
    try:
        yield
    finally:
        await tasks.stop(task)
