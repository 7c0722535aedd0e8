"""Real clients play the contract against a running stack; those that are not installed here are skipped, by name."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from client_story import Answer, Send, Story, driven, parsed

DRIVERS = Path(__file__).parent / "drivers"
PYTHONS = ("http.client", "urllib3", "requests", "httpx", "aiohttp")
PROGRAMS = {
    "JDK, as it is by default": ["java", str(DRIVERS / "Java.java")],
    "Node's fetch": ["node", str(DRIVERS / "fetch.mjs")],
    "Go's net/http": ["go", "run", str(DRIVERS / "nethttp.go")],
    "Ruby's Net::HTTP": ["ruby", str(DRIVERS / "nethttp.rb")],
    "PHP's curl": ["php", str(DRIVERS / "curl.php")],
    **{name: [sys.executable, str(DRIVERS / "pythons.py"), name] for name in PYTHONS},
}
CURL = {
    "curl": [],
    "curl --http2": ["--http2"],
    "curl --http1.0": ["--http1.0"],
    "curl, expecting 100": ["-H", "Expect: 100-continue"],
    "curl, compressed": ["--compressed", "--path-as-is"],
}


@contextmanager
def curling(flags: list[str]) -> Iterator[Send]:
    def send(method: str, url: str, headers: dict[str, str], body: bytes, chunked: bool) -> Answer:
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", *flags]
        command += ["-I"] if method == "HEAD" else ["-X", method]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        if chunked and "--http1.0" not in flags:
            command += ["-H", "Transfer-Encoding: chunked"]
        with tempfile.TemporaryDirectory() as folder:
            told, content = Path(folder, "told"), Path(folder, "content")
            content.touch()
            data = ["--data-binary", "@-"] if body else []
            command += ["-D", str(told), "-o", str(content), *data, url]
            subprocess.run(command, input=body, check=True, timeout=90)
            last = told.read_text("utf-8").replace("\r\n", "\n").strip().split("\n\n")[-1]
            read = b"" if method == "HEAD" else content.read_bytes()
        return Answer(int(last.split()[1]), parsed(last.partition("\n")[2]), read)

    yield send


def clients() -> list[Any]:
    found = []
    for name, command in PROGRAMS.items():
        missing = pytest.mark.skipif(shutil.which(command[0]) is None, reason=f"{command[0]} is not installed")
        found.append(pytest.param(lambda command=command: driven(command), id=name, marks=missing))
    missing = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
    found += [pytest.param(lambda flags=flags: curling(flags), id=name, marks=missing) for name, flags in CURL.items()]
    return found


@pytest.mark.parametrize("client", clients())
def test_a_real_client_plays_the_whole_story(stack: Any, client: Any, request: pytest.FixtureRequest) -> None:
    with client() as send:
        story = Story(stack.url, send)
        story.play()
    request.node.user_properties.append((request.node.callspec.id, len(story.played)))
