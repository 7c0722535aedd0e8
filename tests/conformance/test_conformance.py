"""``make conformance`` against a stack that keeps its promises, and against gateways of which each breaks one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from broken_gateway import Exchange, Flaw, broken_gateway

from openmusic_testkit.serving import free_port

ROOT = Path(__file__).parents[2]
SOME = "test_made or test_promises or test_repeats or test_finding"
"""Modules that are tried: enough to show that other promises are found to hold."""

pytestmark = pytest.mark.timeout(300)  # each runs a part of the end-to-end tests


def conformance(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENMUSIC_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "tests/conformance", url, *options],
        cwd=ROOT,
        env=environment | {"OPENMUSIC_ROUNDS": "3"},
        capture_output=True,
        text=True,
        check=False,
    )


def promises(output: str, verdict: str) -> set[str]:
    """The sentences of the table with this verdict."""
    return {re.split(r" \(|: ", each)[0] for each in re.findall(rf"^  {verdict} +(.+)$", output, re.MULTILINE)}


class WrongStatus(Flaw):
    def on_response(self, exchange: Exchange) -> None:
        if (exchange.method, exchange.path, exchange.status) == ("POST", "/collaborations", 201):
            exchange.status = 200


class NoLocation(Flaw):
    def on_response(self, exchange: Exchange) -> None:
        if (exchange.method, exchange.path) == ("POST", "/songs"):
            exchange.response_headers.pop("location", None)


class OldTitles(Flaw):
    """Playlists show songs under the titles that they had at first."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}

    def on_response(self, exchange: Exchange) -> None:
        if (exchange.method, exchange.path, exchange.status) == ("POST", "/songs", 201):
            song_id = json.loads(exchange.content)["data"]["songId"]
            self._titles[song_id] = json.loads(exchange.body)["title"]
        if (
            exchange.method == "GET"
            and re.fullmatch("/playlists/[^/]+/songs", exchange.path)
            and exchange.status == 200
        ):
            answer = json.loads(exchange.content)
            for song in answer["data"]["playlist"]["songs"]:
                song["title"] = self._titles.get(song["id"], song["title"])
            exchange.content = json.dumps(answer).encode()


class ForgottenRequestId(Flaw):
    def on_request(self, exchange: Exchange) -> None:
        exchange.headers.pop("x-request-id", None)


class NoRepeats(Flaw):
    def on_request(self, exchange: Exchange) -> None:
        if exchange.path == "/playlists":
            exchange.headers.pop("idempotency-key", None)


class TalkativeLogin(Flaw):
    """Says whether there is such a user."""

    def on_response(self, exchange: Exchange) -> None:
        if exchange.path == "/authentications" and b"nobody at all" in exchange.body:
            exchange.content = b'{"status": "fail", "message": "There is no such user"}'


FLAWS = [
    (WrongStatus(), SOME, {"what is made is answered with 201 its id and where it is"}),
    (NoLocation(), SOME, {"what is made is answered with 201 its id and where it is"}),
    (OldTitles(), SOME, {"a renamed song shows in every playlist within two seconds"}),
    (NoRepeats(), SOME, {"a repeated request gets the first answer", "a repeat makes no second thing"}),
    (ForgottenRequestId(), "answer or unknown_user", {"every answer names its request"}),
    (TalkativeLogin(), "answer or unknown_user", {"unknown user and wrong password look the same"}),
]


def test_an_installation_that_keeps_its_promises_is_found_to_keep_them(stack: Any) -> None:
    done = conformance(stack.url, "-k", SOME)

    assert (done.returncode, promises(done.stdout, "BROKEN")) == (0, set()), done.stdout
    held = promises(done.stdout, "holds")
    assert {"songs come in the order asked for", "a client sees its own writes without a pause"} <= held
    assert re.search(rf"^{len(held)} hold, 0 broken, \d+ not tried$", done.stdout, re.MULTILINE)


def test_what_needs_the_inside_is_not_tried_and_says_why(stack: Any) -> None:
    done = conformance(stack.url, "-k", "export")

    assert "not tried  an export arrives by mail: needs the mail box" in done.stdout
    assert "not tried  exports wait for the broker: needs a stack of its own" in done.stdout
    assert conformance(stack.url, "-k", "exports_wait").returncode == 1, "nothing that was tried holds"


@pytest.mark.parametrize(("flaw", "selected", "broken"), FLAWS, ids=[type(flaw).__name__ for flaw, _, _ in FLAWS])
def test_a_promise_that_is_broken_is_shown_and_no_other(
    stack: Any, flaw: Flaw, selected: str, broken: set[str]
) -> None:
    with broken_gateway(stack.url, flaw) as url:
        done = conformance(url, "-k", selected)

    assert (done.returncode, promises(done.stdout, "BROKEN")) == (1, broken), done.stdout


def test_an_address_where_nothing_answers_is_no_broken_promise() -> None:
    done = conformance(f"http://127.0.0.1:{free_port()}")

    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing answers" in done.stderr
