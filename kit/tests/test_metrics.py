"""What a process tells Prometheus, and that a source that fails hides nothing else."""

import asyncio
import uuid
from collections.abc import Iterable

import httpx
import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from openmusic_kit import metrics
from openmusic_kit.metrics import Counts, RequestDurations, exposition, serving_metrics
from openmusic_kit.settings import ServiceSettings
from openmusic_local.ports import obstacle


def a_name() -> str:
    return f"test_{uuid.uuid4().hex}"


async def samples(*sources: metrics.Source) -> dict[tuple[str, ...], float]:
    """The value of each series, by its name and the values of its labels."""
    families = text_string_to_metric_families((await exposition(sources)).decode())
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


async def test_a_counter_has_the_series_that_were_counted_and_those_that_are_expected() -> None:
    name = a_name()
    counts = Counts(f"{name}_total", "of a test", ("kind", "outcome"))
    counts.expect(("a", "good"), ("a", "bad"))
    counts.add("a", "good")
    counts.expect(("a", "good"))
    counts.add("a", "good")
    counts.add('b"\\\n', "good")
    found = await samples()
    assert found[f"{name}_total", "a", "good"] == 2
    assert found[f"{name}_total", "a", "bad"] == 0
    assert found[f"{name}_total", 'b"\\\n', "good"] == 1


async def test_a_histogram_counts_up_to_and_including_each_bound() -> None:
    name = a_name()
    durations = RequestDurations(name, "of a test", (0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        durations.add(seconds, "GET", "/albums", 200)
    found = await samples()
    buckets = [found[f"{name}_bucket", bound, "GET", "/albums", "200"] for bound in ("0.1", "1.0", "+Inf")]
    assert (buckets, found[f"{name}_count", "GET", "/albums", "200"]) == ([2, 3, 4], 4)
    assert found[f"{name}_sum", "GET", "/albums", "200"] == pytest.approx(7.65)


async def test_a_source_that_fails_or_hangs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SOURCE_TIMEOUT", 0.05)
    name = a_name()

    async def works() -> Iterable[Metric]:
        return [GaugeMetricFamily(name, "of a test", value=3)]

    async def fails() -> Iterable[Metric]:
        raise ConnectionError

    async def hangs() -> Iterable[Metric]:
        await asyncio.Event().wait()
        return []

    assert (await samples(fails, works, hangs))[name,] == 3


async def test_metrics_are_served_at_a_port_of_their_own(unused_tcp_port: int) -> None:
    settings = ServiceSettings(port=1, metrics_port=unused_tcp_port)
    async with (
        serving_metrics("catalog", settings),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}", trust_env=False) as client,
    ):
        answer = await client.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert 'openmusic_build_info{process="catalog",version="' in answer.text
        assert (await client.get("/health/live")).status_code == 404


async def test_without_a_port_nothing_is_served() -> None:
    async with serving_metrics("catalog", ServiceSettings(port=1)):
        assert not [task for task in asyncio.all_tasks() if "TCPSite" in repr(task)]


@pytest.fixture
def two_ports() -> int:
    """The first of two that follow each other and are free, below those that the kernel hands out."""
    return next(port for port in range(20_000, 32_000, 2) if not obstacle(port) and not obstacle(port + 1))


async def test_each_of_several_workers_takes_a_port_and_one_too_many_is_refused(two_ports: int) -> None:
    settings = ServiceSettings(port=1, metrics_port=two_ports)
    async with serving_metrics("gateway", settings, workers=2), serving_metrics("gateway", settings, workers=2):
        async with httpx.AsyncClient(trust_env=False) as client:
            for port in (two_ports, two_ports + 1):
                assert (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code == 200
        with pytest.raises(OSError, match="address already in use"):
            async with serving_metrics("gateway", settings, workers=2):
                pytest.fail("there is no port left")
