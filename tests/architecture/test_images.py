"""Each official image is named in one table, with until when it is supported, and everywhere by the same tag."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "deploy" / "images" / "official.md"
UNTIL = r"(not published; look again by )?\d{4}-\d\d-\d\d|frozen"
ROW = re.compile(rf"^\| `(?P<image>[^`]+)` \| (?P<why>.+) \| (?P<until>{UNTIL}) \| (?P<source>.*<https://.+>) \|$")


def table() -> dict[str, str]:
    """Until when each image is supported."""
    rows = [line for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    found = [ROW.match(row) for row in rows]
    assert None not in found, rows[found.index(None)]
    return {row["image"]: row["until"] for row in found if row}


def images_of(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("image"), str):
            yield node["image"]
        for value in node.values():
            yield from images_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from images_of(value)


def named() -> dict[str, set[str]]:
    """The images that are not ours, by the place that names them."""
    dockerfile = re.findall(r"^ARG PYTHON=(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    build = re.findall(r"^make_image \S+ (\S+)", (ROOT / "deploy" / "images" / "build").read_text(), re.MULTILINE)
    manifests = [each for path in (ROOT / "deploy" / "kubernetes").rglob("*.yaml") for each in documents(path)]
    found = {
        "Dockerfile": dockerfile,
        "compose.yaml": images_of(documents(ROOT / "compose.yaml")),
        "deploy/kubernetes": images_of(manifests),
        "deploy/images/build": build,
    }
    return {place: {each for each in images if not each.startswith("openmusic/")} for place, images in found.items()}


def documents(path: Path) -> list[object]:
    return list(yaml.safe_load_all(path.read_text()))


def test_the_table_names_what_is_used_and_nothing_else() -> None:
    assert set().union(*named().values()) == set(table())


def test_there_is_a_stand_in_for_each() -> None:
    assert named()["deploy/images/build"] == set(table())


def test_no_image_is_named_without_a_version() -> None:
    for image in table():
        assert re.search(r":[^:/]*\d", image), image


@pytest.mark.parametrize(
    ("row", "warning"),
    [
        ("| `a:1` | it is old | 2026-03-01 | <https://a.example> |", "a:1 is supported until 2026-03-01"),
        (
            "| `a:1` | nobody knows | not published; look again by 2026-01-31 | <https://a.example> |",
            "a:1: look again how long it is supported, by 2026-01-31",
        ),
        ("| `a:1` | it is new | 2026-05-01 | <https://a.example> |", ""),
        ("| `a:1` | it is frozen | frozen | <https://a.example> |", "a:1 gets no more fixes"),
    ],
)
def test_the_audit_warns_of_a_date_that_is_near(tmp_path: Path, row: str, warning: str) -> None:
    (tmp_path / "table.md").write_text(f"| image | why | supported until | source |\n|---|---|---|---|\n{row}\n")
    command = [ROOT / "requirements" / "audit-images", tmp_path / "table.md", "2026-01-15"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.startswith(warning)
    assert bool(done.stderr) == bool(warning)


def test_images_of_ours_are_never_asked_for_elsewhere() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        ours = service["image"].startswith("openmusic/")
        assert service.get("pull_policy") == ("never" if ours else None), name
