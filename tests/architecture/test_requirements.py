"""What is installed is what was pinned, to the byte: each requirement has one version and its hashes."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("runtime", "build", "dev", "clients")
OF_PYTHON = {"pip", "setuptools"}  # every virtual environment has them
PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)(\[[a-z0-9,_-]+\])?==(?P<version>[^ ;\\]+)( ;.*?)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def lines(file: str) -> list[str]:
    text = (ROOT / "requirements" / f"{file}.txt").read_text()
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pins(file: str) -> dict[str, set[str]]:
    """The versions of each package; there are several where one cannot serve every Python."""
    found: dict[str, set[str]] = {}
    for line in lines(file):
        if match := PIN.match(line):
            found.setdefault(normal(match["name"]), set()).add(match["version"])
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_pinned_and_hashed(file: str) -> None:
    content = lines(file)
    assert [line for line in content if not PIN.match(line) and not HASH.match(line)] == []
    for line, following in zip(content, [*content[1:], ""], strict=True):
        if PIN.match(line):
            assert HASH.match(following), line


def test_what_runs_in_production_is_what_was_tested() -> None:
    tested = pins("dev")
    assert {name: versions for name, versions in pins("runtime").items() if tested.get(name) != versions} == {}


def test_nothing_is_installed_that_was_not_pinned() -> None:
    pinned = pins("dev")
    projects = [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("deploy/*/pyproject.toml")]
    own = {normal(tomllib.loads(path.read_text())["project"]["name"]) for path in projects}
    installed = {normal(each.name): each.version for each in distributions()}
    stray = {name for name, version in installed.items() if version not in pinned.get(name, set())}
    assert stray - own - OF_PYTHON == set()


def test_every_way_to_install_checks_the_hashes() -> None:
    for name in ("Dockerfile", "deploy/local/bootstrap"):
        text = (ROOT / name).read_text()
        for line in text.splitlines():
            if "requirements/" in line and "-r " in line:
                assert "--require-hashes" in line, (name, line)
        assert "--require-hashes" in text
