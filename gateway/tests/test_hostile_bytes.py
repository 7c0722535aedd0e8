"""Bytes that are meant to be read in two ways, to be too much or to never end, sent to a real gateway."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from openmusic_testkit import plain_http

HIDDEN = b"GET /songs/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /songs HTTP/1.1\r\nHost: x\r\n"
MEGABYTE = 1_000_000


def chunked(*lines: bytes) -> bytes:
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(lines)


def with_length(*headers: bytes, body: bytes = HIDDEN) -> bytes:
    return POST + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


LENGTH = b"Content-Length: %d" % len(HIDDEN)
AMBIGUOUS = {
    "a length and chunks": with_length(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "chunks and a length": with_length(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + HIDDEN),
    "chunks in other words": with_length(b"Transfer-Encoding: xchunked", LENGTH),
    "chunks behind a comma": with_length(b"Transfer-Encoding: x, chunked", LENGTH),
    "chunks that are not the last coding": with_length(b"Transfer-Encoding: chunked, identity", LENGTH),
    "an unknown coding alone": with_length(b"Transfer-Encoding: gzip"),
    "a coding and its name twice": with_length(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", LENGTH),
    "a space before the colon of chunks": with_length(b"Transfer-Encoding : chunked", LENGTH),
    "a space before the colon of a length": with_length(LENGTH.replace(b":", b" :")),
    "a coding on a folded line": with_length(b"Transfer-Encoding:\r\n chunked", LENGTH),
    "two lengths": with_length(b"Content-Length: 0", LENGTH),
    "the same length twice": with_length(LENGTH, LENGTH),
    "a list of lengths": with_length(b"Content-Length: 0, %d" % len(HIDDEN)),
    "a length with a sign": with_length(b"Content-Length: +%d" % len(HIDDEN)),
    "a negative length": with_length(b"Content-Length: -1"),
    "a hexadecimal length": with_length(b"Content-Length: 0x%x" % len(HIDDEN)),
    "a length with a gap": with_length(b"Content-Length: 4 0"),
    "a length without digits": with_length(b"Content-Length: "),
    "a length beyond all numbers": with_length(b"Content-Length: " + b"9" * 30),
    "a chunk size in other words": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with a sign": chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk size": chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size beyond all numbers": chunked(b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n"),
    "no chunk size": chunked(b"\r\nhello\r\n0\r\n\r\n"),
    "a chunk longer than it says": chunked(b"4\r\nhello\r\n0\r\n\r\n"),
    "a chunk that nothing ends": chunked(b"5\r\nhello0\r\n\r\n"),
    "a chunk size that a bare LF ends": chunked(b"5\nhello\r\n0\r\n\r\n"),
    "a bare CR in a header": with_length(b"X-A: a\rContent-Length: 0", LENGTH),
    "a NUL in a header": with_length(b"X-A: a\0b", LENGTH),
    "a NUL in the name of a header": with_length(b"X\0A: a", LENGTH),
    "a header without a name": with_length(b": a", LENGTH),
    "a header without a colon": with_length(b"X-A", LENGTH),
    "a header before the first": b"POST /songs HTTP/1.1\r\n Host: x\r\n" + LENGTH + b"\r\n\r\n" + HIDDEN,
    "a control character in the target": b"GET /songs\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /songs /hidden HTTP/1.1\r\nHost: x\r\n\r\n",
    "a version that is not HTTP": b"GET /songs HTTX/1.1\r\nHost: x\r\n\r\n",
    "a header on two lines": with_length(b"X-A: a\r\n b", LENGTH),
    "lines that a bare LF ends": POST.replace(b"\r\n", b"\n") + LENGTH + b"\n\n" + HIDDEN,
    "a head that a bare LF ends": POST + LENGTH + b"\n\n" + HIDDEN,
    "a chunk size with a space": chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
    "a chunk that a bare LF ends": chunked(b"5\r\nhello\n0\r\n\r\n"),
    "a length behind the chunks": chunked(b"5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n"),
    "a tunnel": b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
    "a method in small letters": b"get /songs HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/1.9": b"GET /songs HTTP/1.9\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


def exchange(url: str, *pieces: bytes) -> bytes:
    """All that is answered until the gateway hangs up."""
    parts = urlsplit(url)
    answer = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65_536):
                answer += chunk
    return answer


@pytest.mark.parametrize("request_bytes", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_could_be_read_in_two_ways_is_read_in_none(url: str, service_url: Any, request_bytes: bytes) -> None:
    before = len(service_url[0].seen)

    answer = exchange(url, request_bytes)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "fail"
    assert [each["path"] for each in service_url[0].seen[before:] if "hidden" in each["path"]] == []


@pytest.mark.parametrize("hosts", [b"", b"Host: x\r\nHost: y\r\n"])
def test_a_request_names_one_host(url: str, service_url: Any, hosts: bytes) -> None:
    before = len(service_url[0].seen)

    answer = exchange(url, b"GET /songs HTTP/1.1\r\nConnection: close\r\n" + hosts + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"status": "fail"' in answer
    assert len(service_url[0].seen) == before


def test_what_is_hidden_in_a_body_stays_in_it(url: str, service_url: Any) -> None:
    """Requests that are odd and have one meaning only: the service gets them as that, newly framed."""
    close = b"Connection: close\r\n"
    odd = {
        "a body of a GET": b"GET /songs HTTP/1.1\r\nHost: x\r\n" + close + LENGTH + b"\r\n\r\n" + HIDDEN,
        "an extension of a chunk": POST
        + close
        + b"Transfer-Encoding: chunked\r\n\r\n27;a=b\r\n"
        + HIDDEN
        + b"\r\n0\r\n\r\n",
        "an upgrade without a body": POST.replace(b"POST", b"GET")
        + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n",
        "an upgrade with a body": with_length(b"Connection: close, Upgrade", b"Upgrade: h2c", LENGTH),
        "a length with a space behind it": with_length(b"Connection: close", LENGTH + b" \t"),
        "chunks in HTTP/1.0": b"POST /songs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n27\r\n"
        + HIDDEN
        + b"\r\n0\r\n\r\n",
    }
    for what, request in odd.items():
        before = len(service_url[0].seen)
        answer = exchange(url, request)
        assert answer.startswith(b"HTTP/1.1 200 "), (what, answer)
        assert answer.count(b"HTTP/1.1 200 ") == 1, what
        (seen,) = service_url[0].seen[before:]
        assert (seen["path"], seen["body"]) == ("/songs", "" if "without" in what else HIDDEN.decode()), what
        assert "upgrade" not in seen["headers"], what


EXPECTING = {
    401: b"POST /playlists HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n",
    404: b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n",
    405: b"PATCH /songs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n",
    413: POST + b"Content-Length: 1048577\r\n",
    431: POST + b"Content-Length: 5\r\nX: " + b"x" * 40_000 + b"\r\n",
    400: POST + b"Host: y\r\nContent-Length: 5\r\n",
}


@pytest.mark.parametrize(("status", "head"), EXPECTING.items())
def test_a_body_that_is_refused_in_any_case_is_not_asked_for(url: str, status: int, head: bytes) -> None:
    answer = exchange(url, head + b"Expect: 100-continue\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "fail"


def test_nor_is_that_of_a_client_who_asked_too_often(start_gateway: Any, service_url: Any) -> None:
    urls = {f"{name}_url": service_url[1] for name in ("auth", "catalog", "playlist", "media", "export")}
    with start_gateway(**urls, requests_by_address=1, requests_window=60) as (url, _):
        answers = [
            exchange(url, POST + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}")
            for _ in range(2)
        ]

    assert answers[0].startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert answers[1].startswith(b"HTTP/1.1 429 ")


@pytest.mark.parametrize("expectation", [b"tea", b"100-continue, tea", b""])
def test_other_expectations_are_not_met_and_not_passed_on(url: str, service_url: Any, expectation: bytes) -> None:
    """RFC 9110, section 10.1.1, leaves 417 to the server."""
    answer = exchange(url, POST + b"Connection: close\r\nExpect: " + expectation + b"\r\nContent-Length: 2\r\n\r\n{}")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert "expect" not in service_url[0].seen[-1]["headers"]


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
def test_a_refusal_arrives_although_the_client_sends_its_large_body_first(url: str, close: bytes) -> None:
    """As most clients do; a connection that was simply closed would be reset, and the answer lost."""
    for head, status in [(b"POST /playlists HTTP/1.1\r\nHost: x\r\n", 401), (POST, 413)]:
        length = b"Content-Length: 8000000\r\n\r\n"
        last = b"" if close else b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = exchange(url, head + close + length, b"x" * 8_000_000, last)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.count(b"HTTP/1.1 404 ") == bool(last), "the connection is out of step"


def _resident(pid: int) -> int:
    """Bytes of memory that the process holds."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def patient(start_gateway: Any, service_url: Any) -> Iterator[tuple[str, int]]:
    """A gateway with the limits that it has by default, and its process id."""
    urls = {f"{name}_url": service_url[1] for name in ("auth", "catalog", "playlist", "media", "export")}
    with start_gateway(**urls) as (url, pid):
        yield url, pid


SLOW = {
    "a head": b"GET /songs HTTP/1.1\r\nHost: x\r\nX-A: ",
    "a body": POST + b"Content-Length: 60000\r\n\r\n",
    "a body in chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n",
    "an upload": b"POST /albums/a/covers HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("begun", SLOW.values(), ids=SLOW.keys())
def test_hundreds_of_clients_that_never_finish_are_in_nobodys_way(patient: tuple[str, int], begun: bytes) -> None:
    url, pid = patient
    parts = urlsplit(url)
    with plain_http.Client(base_url=url, timeout=10) as client, contextlib.ExitStack() as slow:
        client.get("/songs")
        before = _resident(pid)
        for _ in range(500):
            connection = slow.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=10))
            connection.sendall(begun)
        assert {client.get("/songs").status_code for _ in range(50)} == {200}
        assert _resident(pid) - before < 40 * MEGABYTE


def test_heads_and_bodies_that_are_too_large_do_not_grow_the_memory(patient: tuple[str, int]) -> None:
    url, pid = patient
    parts = urlsplit(url)
    head = b"GET /songs HTTP/1.1\r\nHost: x\r\nX-A: " + b"x" * 60_000
    announced = POST + b"Content-Length: 99000000000\r\n\r\n" + b"x" * 60_000

    def attack() -> None:
        for beginning in (head, announced):
            with contextlib.suppress(OSError), socket.create_connection((parts.hostname, parts.port), timeout=5) as one:
                for _ in range(100):
                    one.sendall(beginning)

    with plain_http.Client(base_url=url, timeout=10) as client:
        client.get("/songs")
        before = _resident(pid)
        threads = [threading.Thread(target=attack) for _ in range(20)]
        for thread in threads:
            thread.start()
        statuses = {client.get("/songs").status_code for _ in range(50)}
        for thread in threads:
            thread.join()
        assert statuses == {200}
        assert _resident(pid) - before < 40 * MEGABYTE


def test_a_body_that_comes_byte_by_byte_ends_at_its_deadline(start_gateway: Any, service_url: Any) -> None:
    urls = {f"{name}_url": service_url[1] for name in ("auth", "catalog", "playlist", "media", "export")}
    with start_gateway(**urls, body_timeout=0.5) as (url, _):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(POST + b"Content-Length: 60000\r\n\r\n")
            deadline = time.monotonic() + 20
            connection.settimeout(0.1)
            answer = b""
            while not answer:
                assert time.monotonic() < deadline, "still listening"
                with contextlib.suppress(TimeoutError):
                    connection.sendall(b"x")
                    answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")
