"""The replicas of a service: all get traffic in turn, and one that is dead is left alone for a while."""

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

RESOLVE_INTERVAL = 2.0  # seconds after which a name is looked up again
REST = 3.0  # seconds that a dead replica is left alone


@dataclass
class Upstream:
    """One service. ``replicas`` are base addresses such as ``http://10.0.0.7:5102``."""

    urls: list[URL]
    replicas: list[str] = field(default_factory=list)
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)
    _dead_until: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, setting: str) -> "Upstream":
        urls = [URL(url.strip().rstrip("/")) for url in setting.split(",") if url.strip()]
        return cls(urls, [str(url) for url in urls])

    def in_turn(self) -> list[str]:
        """All replicas in the order to try them; those that are thought dead come last."""
        start = next(self._turn) % len(self.replicas)
        ordered = self.replicas[start:] + self.replicas[:start]
        if not self._dead_until:
            return ordered
        now = time.monotonic()
        return sorted(ordered, key=lambda replica: self._dead_until.get(replica, 0.0) > now)

    def dead(self, replica: str) -> None:
        self._dead_until[replica] = time.monotonic() + REST

    def alive(self, replica: str) -> None:
        self._dead_until.pop(replica, None)

    async def resolve(self) -> None:
        """Looks up every address behind the names; keeps what it has when a name cannot be resolved now."""
        loop = asyncio.get_running_loop()
        found: list[str] = []
        for url in self.urls:
            try:
                answers = await loop.getaddrinfo(url.host, url.port, family=socket.AF_INET, type=socket.SOCK_STREAM)
            except OSError as error:
                logger.warning("name cannot be resolved", extra={"host": url.host, "error": repr(error)})
                return
            found += [str(url.with_host(str(answer[4][0]))) for answer in answers]
        self.replicas = list(dict.fromkeys(found)) or self.replicas


@asynccontextmanager
async def resolving(upstreams: list[Upstream]) -> AsyncIterator[None]:
    """Keeps the replicas up to date."""

    async def keep_on() -> None:
        while True:
            await asyncio.gather(*(upstream.resolve() for upstream in upstreams))
            await asyncio.sleep(RESOLVE_INTERVAL)

    await asyncio.gather(*(upstream.resolve() for upstream in upstreams))
    task = asyncio.create_task(keep_on(), name="resolving")
    try:
        yield
    finally:
        await tasks.stop(task)
