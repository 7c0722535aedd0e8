"""The tour of the README, pasted as it stands."""

import json
import re
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openmusic_testkit.waiting import wait_until

ROOT = Path(__file__).parents[2]


def test_the_tour_can_be_pasted(url: str, mails: Callable[[str], list[Any]]) -> None:
    (tour,) = re.findall(
        r"^## A tour\n.*?^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    name = f"alice_{secrets.token_hex(6)}"
    assert "http://127.0.0.1:5000" in tour
    script = tour.replace("http://127.0.0.1:5000", url).replace("alice", name).replace("\n", "\necho\n")

    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, check=True)

    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert [answer["status"] for answer in answers] == ["success"] * 7
    registered, found, _, album, _, playlist, _ = (answer.get("data", {}) for answer in answers)
    assert registered["userId"]
    assert "Yellow" in [song["title"] for song in found["songs"]]
    assert album["album"]["coverUrl"].startswith("http")
    assert [song["title"] for song in playlist["playlist"]["songs"]] == ["Yellow"]
    wait_until(lambda: mails(f"{name}@example.com"))
