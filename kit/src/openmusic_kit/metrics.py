"""Metrics of a process in the text format of Prometheus, on a port that the gateway does not lead to.

Parts declare their metrics as constants, with the classes here on hot paths and with those of ``prometheus_client``
elsewhere. What has to be asked for, such as the rows of a table, is a source that each scrape asks.
"""

import asyncio
import errno
import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from openmusic_kit.settings import ServiceSettings
from openmusic_kit.version import VERSION

logger = logging.getLogger(__name__)

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library declares no type

SOURCE_TIMEOUT = 2.0  # seconds; what a source has not said by then is missing in the scrape
REQUEST_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

Source = Callable[[], Awaitable[Iterable[Metric]]]


class Counts(Collector):
    """A counter for hot paths: it has no lock, so only the thread of the event loop may add to it."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._description = (name, documentation, tuple(labels))
        self._counts: dict[tuple[str, ...], int] = defaultdict(int)
        REGISTRY.register(self)

    def expect(self, *values: tuple[str, ...]) -> None:
        """Exports 0 for these label values until something is counted: the first one is then an increase."""
        for labels in values:
            self._counts[labels] += 0

    def add(self, *labels: str) -> None:
        self._counts[labels] += 1

    def describe(self) -> list[Metric]:
        return [self._family()]

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        yield family

    def _family(self) -> CounterMetricFamily:
        name, documentation, labels = self._description
        return CounterMetricFamily(name, documentation, labels=labels)


class RequestDurations(Collector):
    """A histogram for hot paths, in the same way. ``bounds`` are in seconds."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._description = (name, documentation)
        self._bounds = tuple(bounds)
        self._series: dict[tuple[str, str, int], list[float]] = {}
        """By labels: how many were within each bound and beyond the last, and the sum of all."""
        REGISTRY.register(self)

    def add(self, seconds: float, method: str, route: str, status: int) -> None:
        labels = (method, route, status)
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = [0] * (len(self._bounds) + 2)
        series[bisect_left(self._bounds, seconds)] += 1
        series[-1] += seconds

    def describe(self) -> list[Metric]:
        return [self._family()]

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        bounds = [*map(str, self._bounds), "+Inf"]
        for labels, (*counts, seconds) in self._series.items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([*map(str, labels)], buckets, sum_value=seconds)
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(*self._description, labels=["method", "route", "status"])


HTTP_REQUESTS = RequestDurations(
    "openmusic_http_request_duration_seconds",
    "Requests by the template of their route; those without a route have the method and route 'none'",
    REQUEST_BOUNDS,
)
NO_ROUTE = "none"
CACHE_LOOKUPS = Counts(
    "openmusic_cache_lookups_total",
    "Reads that a cache answered (hit) or not (miss): the gateways' memory (edge), Redis (redis)",
    ("layer", "outcome"),
)
CACHE_LOOKUPS.expect(*((layer, outcome) for layer in ("edge", "redis") for outcome in ("hit", "miss")))
BUILD_INFO = Gauge("openmusic_build_info", "Always 1; says which release runs", ("process", "version"))


@asynccontextmanager
async def serving_metrics(
    process: str, settings: ServiceSettings, sources: Sequence[Source] = (), workers: int = 1
) -> AsyncIterator[None]:
    """Serves ``/metrics`` at ``metrics_port``, if there is one.

    Each of several workers takes a port of its own from there on.
    """
    BUILD_INFO.labels(process, VERSION).set(1)
    if settings.metrics_port is None:
        yield
        return

    async def respond(_: web.Request) -> web.Response:
        return web.Response(body=await exposition(sources), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/metrics", respond)
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await _listen(runner, settings.metrics_host, range(settings.metrics_port, settings.metrics_port + workers))
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, ports: range) -> None:
    """At the first of the ports that is free. Raises OSError if none is."""
    for port in ports:
        try:
            return await web.TCPSite(runner, host, port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port == ports[-1]:
                raise


async def exposition(sources: Sequence[Source] = ()) -> bytes:
    """All metrics of this process. A source that fails is left out."""
    asked = CollectorRegistry(auto_describe=False)
    asked.register(_Answers([each for found in await asyncio.gather(*map(_ask, sources)) for each in found]))
    return generate_latest(REGISTRY) + generate_latest(asked)


async def _ask(source: Source) -> list[Metric]:
    try:
        async with asyncio.timeout(SOURCE_TIMEOUT):
            return list(await source())
    except Exception as error:  # whatever it is: the other metrics show what is wrong
        logger.debug("metrics not collected", extra={"error": repr(error)})
        return []


class _Answers(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
