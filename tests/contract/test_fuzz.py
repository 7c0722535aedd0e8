"""schemathesis against the served document, through the gateway: no 5xx, and no answer that the document lacks.

``FUZZ_EXAMPLES`` asks for more requests for each operation, and ``FUZZ_SEED`` for others than those of every day.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "20")
SEED = os.environ.get("FUZZ_SEED")
EVERY_DAY = ["--generation-deterministic"] if SEED is None else ["--seed", SEED]


@pytest.fixture
def fuzz(url: str, environment: Callable[[dict[str, Any]], dict[str, str]], tmp_path: Path) -> Callable[..., list[str]]:
    """Runs it, and gives the answers as ``GET /albums/{album_id} 200``."""

    def run(there: dict[str, Any], *options: str) -> list[str]:
        given = environment(there)
        config = HERE / "schemathesis.toml"
        command = [Path(sys.executable).with_name("schemathesis"), "--config-file", config, "run", *options]
        outcome = subprocess.run(
            [*command, f"{url}/openapi.json", "--max-examples", EXAMPLES, *EVERY_DAY],
            env={**os.environ, **given},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        return Path(given["FUZZ_ANSWERED"]).read_text().splitlines()

    return run


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@pytest.mark.timeout(0 if SEED else 600)
def test_a_user_gets_no_answer_that_the_document_lacks(fuzz: Any, http: httpx.Client, something: Any) -> None:
    answered = fuzz(something.known, "--header", f"Authorization: Bearer {something.token}")

    succeeded = {line.rpartition(" ")[0] for line in answered if line.rpartition(" ")[2].startswith("2")}
    wanted = set(operations(http.get("/openapi.json").json())) - {"GET /openapi.json"}  # where it comes from itself
    assert succeeded == wanted, "each operation was reached"


@pytest.mark.timeout(0 if SEED else 600)
def test_nobody_gets_past_the_door_of_a_protected_operation(fuzz: Any, http: httpx.Client) -> None:
    document = operations(http.get("/openapi.json").json())
    protected = [name for name, operation in document.items() if "security" in operation]
    chosen = [option for name in protected for option in ("--include-name", name)]

    answered = fuzz({"everywhere": {}}, "--phases", "coverage,fuzzing", *chosen)

    statuses: dict[str, set[str]] = {name: set() for name in protected}
    for name, _, status in (line.rpartition(" ") for line in answered):
        if name in statuses:  # schemathesis also tries methods that the path does not have
            statuses[name].add(status)
    assert statuses == {name: {"401"} for name in protected}
