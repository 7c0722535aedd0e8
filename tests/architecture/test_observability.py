"""Alerts, dashboard and scrape configurations name what there is, and each alert has its section in the runbook."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from openmusic_operations.system import PROCESSES

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy" / "observability"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROMTOOL = shutil.which("promtool")
SUFFIXES = ("_bucket", "_count", "_sum")
"""Of the series of a histogram."""


def metrics() -> dict[str, str]:
    """The type of each metric of docs/metrics.md."""
    return dict(re.findall(r"^\| `(openmusic_\w+)` \| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text(), re.M))


def series() -> set[str]:
    """The names of their series."""
    return {
        name + suffix for name, kind in metrics().items() for suffix in (SUFFIXES if kind == "histogram" else ("",))
    }


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((OBSERVABILITY / "alerts.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> list[str]:
    dashboard = json.loads((OBSERVABILITY / "grafana" / "openmusic.json").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [*shown, *(rule["expr"] for rule in rules())]


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, kind in metrics().items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert kind != "histogram" or name.endswith("_seconds"), name


@pytest.mark.parametrize("expression", expressions())
def test_alerts_and_dashboard_ask_for_metrics_that_there_are(expression: str) -> None:
    assert set(re.findall(r"openmusic_\w+", expression)) <= series()


def test_the_dashboard_shows_every_metric() -> None:
    shown = set(re.findall(r"openmusic_\w+", " ".join(expressions())))
    for name in metrics():
        assert shown & {name, *(name + suffix for suffix in SUFFIXES)}, name


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_each_alert_has_a_section_in_the_runbook(rule: dict[str, Any]) -> None:
    assert f"\n### {rule['alert']}\n" in OPERATIONS
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_compose_is_scraped_at_the_containers_of_all_processes() -> None:
    (job,) = yaml.safe_load((OBSERVABILITY / "scrape.compose.yaml").read_text())["scrape_configs"]
    (names,) = job["dns_sd_configs"]
    assert set(names["names"]) == {process.container for process in PROCESSES.values()}
    assert f"METRICS_PORT={names['port']}" in (ROOT / "Dockerfile").read_text()


def test_what_shows_metrics_is_reached_from_this_machine_only() -> None:
    services = yaml.safe_load((OBSERVABILITY / "compose.yaml").read_text())["services"]
    assert all(port.startswith("127.0.0.1:") for each in services.values() for port in each["ports"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is in Debian's package prometheus")
@pytest.mark.parametrize(
    "check",
    [
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts.test.yaml"),
        ("check", "config", "--syntax-only", "scrape.local.yaml"),
        ("check", "config", "--syntax-only", "scrape.compose.yaml"),  # Debian's knows no Kubernetes
    ],
    ids=" ".join,
)
def test_promtool_agrees(check: tuple[str, ...]) -> None:
    done = subprocess.run([str(PROMTOOL), *check], cwd=OBSERVABILITY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
