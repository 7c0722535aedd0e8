"""Heads that chance puts together, odd and hostile: none is our mistake, none hangs, and the connection stays in step.

``OPENMUSIC_HEADS`` asks for more of them, ``OPENMUSIC_SEED`` for others.
"""

import contextlib
import http.client
import json
import os
import random
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

HEADS = int(os.environ.get("OPENMUSIC_HEADS", "400"))
SEED = int(os.environ.get("OPENMUSIC_SEED", "0"))
METHODS = ["GET"] * 6 + [
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "QUERY",
    "get",
    "M-SEARCH",
]
IDS = [
    "album-1",
    "%2e%2e",
    "%00",
    "%ff%fe",
    "a%2Fb",
    "a;b",
    "'",
    "*",
    "%",
    "%zz",
    "a" * 3000,
    "\\",
    "..",
    "%F0%9F%8E%B5",
    "ü",
]
PATHS = [
    *[
        "/songs",
        "/albums/{}",
        "/albums/{}/likes",
        "/songs/{}",
        "/playlists",
        "/playlists/{}/songs",
        "/users",
        "/users/{}",
    ],
    *[
        "/authentications",
        "/covers/{}/{}",
        "/albums/{}/covers",
        "/export/playlists/{}",
        "/health/ready",
        "/openapi.json",
        "/asyncapi.json",
    ],
    *["*", "/", "//songs", "/songs/", "/internal/users/{}", "http://x/songs", "http://x", "http://[::1/songs", "songs"],
    *["http://u:p@x:99999/songs", "https://x/albums/{}", "/songs#f", "/\x7f", "/songs?a b"],
]
QUERIES = [
    "",
    "",
    "",
    "?",
    "?title=%ff",
    "?title=a&title=b",
    "?limit=9999999999999999999999",
    "?cursor=%00",
    "?%3D=%26",
    "?a" * 500,
]
NUMBERS = ["0", "-1", "+1", "1e3", "9" * 25, "0x10", "1_0", "٣", "", " ", "1,1", "NaN", "1.0"]
TEXTS = [
    "",
    "*",
    ",",
    ",,",
    '"',
    '"a',
    "a b",
    "\xff\xfe",
    "ü",
    "\t",
    "=",
    ";",
    "x" * 5000,
    "a\x01b",
    "\x7f",
    "%00",
    "null",
    '""',
]
TOKENS = [
    "Bearer",
    "Bearer ",
    "bearer x",
    "Bearer a.b.c",
    "Bearer " + "." * 2000,
    "Basic eDp5",
    "Bearer \xff",
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Bearer eyJ.x.y",
]
HEADERS = {
    "Host": ["x", "x:0", "x:99999", "[::1]", "[::1", "x y", "", "x@y", "\xff", "x,y"],
    "Content-Length": [*NUMBERS, "2", "2 ", "2\t", "99999999"],
    "Transfer-Encoding": ["chunked", "Chunked", "gzip, chunked", "identity", "chunked, chunked", ""],
    "Content-Type": [
        "application/json",
        "application/json; charset=undefined",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary*=undefined''x",
        "a/b/c",
        *TEXTS,
    ],
    "Authorization": TOKENS + TEXTS,
    "If-None-Match": ["W/", '"a", W/"b', *TEXTS],
    "If-Range": TEXTS,
    "Range": [f"bytes={each}-" for each in NUMBERS]
    + [f"bytes=0-{each}" for each in NUMBERS]
    + ["bytes=-", "bytes=9-1", "lines=1", "bytes=" + "0-0," * 500],
    "X-Forwarded-For": ["1.2.3.4", "::1%eth0", "1.2.3.4:80", "999.1.1.1", "unknown", "," * 300, *TEXTS],
    "X-Request-ID": TEXTS,
    "Cookie": TEXTS,
    "Expect": ["100-continue", "tea", ""],
    "TE": ["trailers", "gzip;q=x"],
    "Trailer": ["Content-Length", ""],
    "Upgrade": ["h2c", "websocket", "", ","],
    "Connection": [
        "close",
        "keep-alive",
        "Upgrade",
        "upgrade, close",
        "host",
        "content-length",
        "content-type, authorization",
        "x-request-id",
        ",",
    ],
    "Origin": ["null", "https://x", *TEXTS],
    "Access-Control-Request-Method": ["GET", *TEXTS],
    "Accept": TEXTS,
    "Accept-Encoding": ["gzip", "*;q=0", *TEXTS],
    "Date": TEXTS,
    "Max-Forwards": NUMBERS,
    "Content-Encoding": ["gzip", "br", ""],
    "X\xff": ["a"],
    "X Y": ["a"],
    "": ["a"],
    "X": [*TEXTS, "y" * 30_000],
}
BODIES = [b"", b"", b"{}", b"5\r\nhello\r\n0\r\n\r\n", b'{"username": "\xff"}', b"[" * 3000]
NEXT = b"GET /songs/next HTTP/1.1\r\nHost: x\r\nX-Request-ID: next\r\nConnection: close\r\n\r\n"


def some_request(dice: random.Random) -> bytes:
    path = dice.choice(PATHS)
    target = path.format(*dice.choices(IDS, k=path.count("{}"))) + dice.choice(QUERIES)
    version = dice.choice(["HTTP/1.1"] * 10 + ["HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", "http/1.1"])
    lines = [f"{dice.choice(METHODS)} {target} {version}"]
    if dice.random() < 0.9:
        lines.append("Host: x")
    for name in dice.choices(list(HEADERS), k=dice.randrange(5)):
        value = dice.choice(HEADERS[name])
        lines += [f"{name}{dice.choice([':', ': ', ':  '])}{value}{dice.choice(['', '', ' '])}"] * dice.choice(
            [1] * 9 + [2]
        )
    if dice.random() < 0.02:
        lines += ["X-Many: 1"] * 150
    return "\r\n".join([*lines, "", ""]).encode(dice.choice(["latin-1", "utf-8"]), "replace") + dice.choice(BODIES)


def answers(url: str, request: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """To that request, and to the one that follows it, until the gateway hangs up."""
    parts = urlsplit(url)
    found = []
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request + NEXT)
        stream = connection.makefile("rb")
        method = request.split(b" ", 1)[0].decode("latin-1")
        while True:
            answer = http.client.HTTPResponse(_Stream(stream), method=method)  # type: ignore[arg-type]
            try:
                answer.begin()
            except (http.client.BadStatusLine, ConnectionResetError):
                return found
            found.append((answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()))
            method = "GET"


class _Stream:
    """What http.client takes for a socket; it stays open for the next answer."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def makefile(self, _: str) -> Any:
        return _Unclosed(self._stream)


class _Unclosed:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        pass


@pytest.mark.timeout(0 if HEADS > 400 else 600)
def test_no_head_is_our_mistake_and_each_request_gets_its_own_answer(url: str) -> None:
    seen: dict[int, int] = {}
    for number in range(HEADS):
        request = some_request(random.Random(f"{SEED}-{number}"))  # noqa: S311 - not for secrets
        what = f"head {number} of seed {SEED}: {request[:300]!r}"
        got = answers(url, request)
        for status, headers, body in got:
            seen[status] = seen.get(status, 0) + 1
            assert status < 500, what
            if status >= 400 and body:
                assert json.loads(body)["status"] == "fail", what
                assert headers["content-type"] == "application/json", what
        assert len(got) <= 2, what
        if len(got) == 2:
            assert got[1][1]["x-request-id"] == "next", what
        elif got:
            whole = b"/songs/next" not in got[0][2]
            assert whole or got[0][1].get("connection") == "close", what
    assert {200, 204, 400, 401, 404, 405} <= set(seen)
