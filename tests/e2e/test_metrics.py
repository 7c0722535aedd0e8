"""What the processes of a running stack tell Prometheus."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from openmusic_local.stack import Stack
from openmusic_operations.system import PROCESSES
from openmusic_testkit import plain_http
from openmusic_testkit.waiting import wait_until

TABLE = Path(__file__).parents[2] / "docs" / "metrics.md"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scrape:
    """The metrics of all processes, as Prometheus would find and read them."""

    def __init__(self, stack: Stack) -> None:
        self.types: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        self._samples: dict[str, list[tuple[str, dict[str, str], float]]] = {}
        for each in json.loads((stack.folder / "metrics.json").read_text()):
            process, (target,) = each["labels"]["process"], each["targets"]
            samples = self._samples[process] = []
            for family in text_string_to_metric_families(plain_http.get(f"http://{target}/metrics").text):
                if family.name.startswith("openmusic_"):
                    name = f"{family.name}_total" if family.type == "counter" else family.name
                    self.types[name] = family.type
                    for sample in family.samples:
                        self.labels.setdefault(name, set()).update(set(sample.labels) - {"le"})
                        samples.append((sample.name, sample.labels, sample.value))

    def value(self, process: str, name: str, **labels: str) -> float:
        """The sum of all series with these labels."""
        found = (value for each, of, value in self._samples[process] if each == name and labels.items() <= of.items())
        return sum(found)

    @property
    def processes(self) -> set[str]:
        return set(self._samples)


@pytest.fixture
def scrape(stack: Stack) -> Callable[[], Scrape]:
    return lambda: Scrape(stack)


def documented() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of each metric."""
    rows = re.findall(r"^\| `(openmusic_\w+)` \| (\w+) \|([^|]*)\|", TABLE.read_text(), re.M)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_the_processes_export_the_metrics_of_the_table_and_no_others(client: Any, scrape: Callable[[], Scrape]) -> None:
    for _ in range(2):
        client.call("GET", f"/albums/{client.album()}")
    found = scrape()
    assert found.processes == set(PROCESSES)
    assert found.types == {name: kind for name, (kind, _) in documented().items()}
    for name, labels in found.labels.items():
        assert labels <= documented()[name][1], name


def test_an_export_and_what_led_to_it_are_counted(client: Any, scrape: Callable[[], Scrape]) -> None:
    before = scrape()
    user = client.register()
    playlist_id = client.playlist(user)
    path = f"/playlists/{playlist_id}/songs"
    for _ in range(3):
        client.call("GET", path, user=user)
    client.call("GET", "/no-such-path")
    client.created(f"/export/playlists/{playlist_id}", {"targetEmail": "metrics@mail.test"}, user)

    def more(process: str, name: str, **labels: str) -> float:
        return scrape().value(process, name, **labels) - before.value(process, name, **labels)

    wait_until(lambda: more("export-worker", "openmusic_export_attempts_total", outcome="sent") == 1)
    assert more("export-worker", "openmusic_export_delivery_seconds_count") == 1
    assert more("export-worker", "openmusic_messages_total", queue="export.jobs", outcome="handled") >= 1
    requests = "openmusic_http_request_duration_seconds_count"
    assert more("gateway", requests, method="GET", route="/playlists/{id}/songs", status="200") == 3
    assert more("gateway", requests, method="none", route="none", status="404") == 1
    assert more("playlist", requests, method="GET", route="/playlists/{playlist_id}/songs", status="200") >= 1
    assert more("gateway", "openmusic_cache_lookups_total", layer="edge", outcome="hit") == 2
    assert more("gateway", "openmusic_token_checks_total", outcome="verified") == 1
    assert more("gateway", "openmusic_edge_purge_wait_seconds_count") >= 1
    assert scrape().value("auth", "openmusic_database_pool_connections", state="allowed") == 10


def test_the_gateway_does_not_lead_to_metrics(client: Any) -> None:
    assert client.call("GET", "/metrics").status_code == 404
