"""What the gateway does when a client, a service or the way between them fails in the middle of something."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from openmusic_testkit import plain_http
from openmusic_testkit.tokens import TokenIssuer

NAMES = ("auth", "catalog", "playlist", "media", "export")
REPLICA = """
import os, sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", log_level="critical")
"""


def _eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def _everywhere(*addresses: str) -> dict[str, str]:
    return {f"{name}_url": ",".join(addresses) for name in NAMES}


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)


def _raw(url: str, request: bytes) -> bytes:
    with _connect(url) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


class Script:
    """A service of raw sockets. Answers ``keep`` requests of its first connection, reads one more whole, hangs up.

    ``pause`` is how many seconds it takes for that.
    """

    def __init__(self, keep: int = 0, last_words: bytes = b"", pause: float = 0) -> None:
        self.bodies: list[bytes] = []
        self._keep = keep
        self._last_words = last_words
        self._pause = pause
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while (body := _read_request(connection)) is not None:
            self.bodies.append(body)
            if self._keep == 0:
                time.sleep(self._pause)
                connection.sendall(self._last_words)
                return
            self._keep -= 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _read_request(connection: socket.socket) -> bytes | None:
    """The body, chunk marks and all."""
    got = b""
    while b"\r\n\r\n" not in got:
        if not (more := connection.recv(65_536)):
            return None
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    chunked = b"chunked" in head.lower()
    while (chunked and not body.endswith(b"0\r\n\r\n")) or len(body) < sum(lengths):
        if not (more := connection.recv(65_536)):
            return body
        body += more
    return body


def _without_chunk_marks(body: bytes) -> bytes:
    """The content of a chunked body; where it was cut into chunks depends on how it arrived."""
    content = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        content += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return content


@contextmanager
def _scripted(script: Script) -> Iterator[Script]:
    thread = threading.Thread(target=script.run, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.close()
        thread.join(timeout=5)


@contextmanager
def _deaf() -> Iterator[str]:
    """An address where connections are neither accepted nor refused: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for each in waiting:
                each.close()


def test_a_replica_that_is_killed_under_load_costs_no_get(start_gateway: Any, unused_port: Any) -> None:
    ports = [unused_port(), unused_port()]
    replicas = [subprocess.Popen([sys.executable, "-c", REPLICA, str(port)]) for port in ports]
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    statuses: list[int] = []
    stop = threading.Event()

    def load() -> None:
        with plain_http.Client(base_url=url) as client:
            while not stop.is_set():
                statuses.append(client.get("/songs").status_code)

    def after(count: int) -> None:
        goal = len(statuses) + count
        _eventually(lambda: len(statuses) >= goal)

    try:
        for address in addresses:
            _eventually(lambda address=address: _is_up(address))
        with start_gateway(**_everywhere(*addresses)) as (url, _):
            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads:
                thread.start()
            after(200)
            replicas[0].kill()
            after(400)
            stop.set()
            for thread in threads:
                thread.join()
    finally:
        for replica in replicas:
            replica.kill()
            replica.wait()
    assert set(statuses) == {200}


def _is_up(address: str) -> bool:
    try:
        return plain_http.get(address).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_replica_that_cannot_be_reached_is_passed_over(service_url: Any, start_gateway: Any) -> None:
    with _deaf() as deaf, start_gateway(**_everywhere(deaf, service_url[1]), connect_timeout=0.3) as (url, _):
        for method in ("GET", "POST", "GET", "POST"):
            assert plain_http.request(method, f"{url}/songs").status_code == 200


def test_replicas_that_refuse_connections_are_all_passed_over(
    service_url: Any, start_gateway: Any, unused_port: Any
) -> None:
    """As in a rolling upgrade: the new ones do not listen yet, but have their address in the name service."""
    starting = [f"http://127.0.0.1:{unused_port()}" for _ in range(4)]
    with start_gateway(**_everywhere(*starting, service_url[1])) as (url, _):
        for method in ("GET", "POST", "GET", "POST"):
            assert plain_http.request(method, f"{url}/songs").status_code == 200


def test_a_replica_that_hangs_is_left_alone_for_a_while(service_url: Any, start_gateway: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with start_gateway(**_everywhere(hanging, service_url[1]), upstream_timeout=0.3) as (url, _):
            statuses = [plain_http.get(f"{url}/songs").status_code for _ in range(6)]

    assert statuses == [504] + [200] * 5


def test_a_second_try_has_what_the_first_left_of_the_time(service_url: Any, start_gateway: Any) -> None:
    with (
        _scripted(Script(pause=0.8)) as script,
        start_gateway(**{**_everywhere(service_url[1]), "catalog_url": script.url}, upstream_timeout=1.2) as (url, _),
    ):
        answer = plain_http.get(f"{url}/songs")

    assert len(script.bodies) > 1
    assert answer.status_code == 504  # with all the time again it would be 502, as it hangs up each time


def test_a_service_that_cannot_be_reached_is_504(start_gateway: Any) -> None:
    with _deaf() as deaf, start_gateway(**_everywhere(deaf), connect_timeout=0.3) as (url, _):
        answer = plain_http.get(f"{url}/songs")

    assert (answer.status_code, answer.json()["status"], answer.headers["Retry-After"]) == (504, "error", "1")


def test_an_upload_finds_the_replica_that_lives(service_url: Any, start_gateway: Any, unused_port: Any) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    with start_gateway(**_everywhere(nowhere, service_url[1])) as (url, _):
        for _ in range(2):
            answer = plain_http.post(f"{url}/albums/a/covers", content=iter([b"x" * 100_000] * 3))
            assert (answer.status_code, answer.json()["size"]) == (200, 300_000)


def test_a_post_is_not_repeated_once_it_may_have_been_executed(service_url: Any, start_gateway: Any) -> None:
    addresses = _everywhere(service_url[1])
    with _scripted(Script()) as script, start_gateway(**{**addresses, "catalog_url": script.url}) as (url, _):
        answer = plain_http.post(f"{url}/songs", content=b"once")

    assert (answer.status_code, answer.json()["status"], answer.headers["Retry-After"]) == (502, "error", "1")
    assert script.bodies == [b"once"]


def test_a_put_that_streamed_is_never_repeated_without_its_body(service_url: Any, start_gateway: Any) -> None:
    addresses = _everywhere(service_url[1])
    with _scripted(Script(keep=1)) as script, start_gateway(**{**addresses, "catalog_url": script.url}) as (url, _):
        assert plain_http.get(f"{url}/songs").status_code == 200
        answer = plain_http.put(f"{url}/songs/a", content=iter([b"x" * 35_000] * 2))

    assert answer.status_code == 502
    assert [_without_chunk_marks(body) for body in script.bodies[1:]] == [b"x" * 70_000]


class Counting:
    """Counts its GETs; knows when an upload has begun."""

    def __init__(self) -> None:
        self.gets = 0
        self.begun = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            self.gets += 1
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        while (await receive())["type"] != "http.disconnect":
            self.begun.set()


def test_a_client_that_hangs_up_in_an_upload_does_not_cost_a_replica_its_turn(
    serve: Any, start_gateway: Any, unused_port: Any
) -> None:
    services, ports = [Counting(), Counting()], [unused_port(), unused_port()]
    urls = _everywhere(*(f"http://127.0.0.1:{port}" for port in ports))
    with serve(services[0], ports[0]), serve(services[1], ports[1]), start_gateway(**urls) as (url, _):
        with _connect(url) as connection:
            connection.sendall(b"POST /albums/a/covers HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n")
            connection.sendall(b"x" * 200_000)
            _eventually(lambda: any(service.begun.is_set() for service in services))
        for _ in range(10):
            assert plain_http.get(f"{url}/songs").status_code == 200

    assert [service.gets for service in services] == [5, 5]


class Patient:
    """Never answers; knows when nobody waits any more."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.left = threading.Event()

    async def __call__(self, _scope: Any, receive: Any, _send: Any) -> None:
        self.asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()


@pytest.mark.parametrize("body", [b"", b"small", b"x" * 100_000])
def test_a_service_need_not_go_on_for_a_client_that_has_left(
    serve: Any, start_gateway: Any, unused_port: Any, body: bytes
) -> None:
    service, port = Patient(), unused_port()
    with (
        serve(service, port),
        start_gateway(**_everywhere(f"http://127.0.0.1:{port}"), upstream_timeout=60) as (url, _),
    ):
        with _connect(url) as connection:
            connection.sendall(b"POST /songs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert service.asked.wait(5)
        assert service.left.wait(5)


class Endless:
    """Answers without end; knows when nobody listens any more."""

    def __init__(self) -> None:
        self.left = threading.Event()

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        gone = asyncio.ensure_future(self._until_gone(receive))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
            await asyncio.sleep(0.001)
        self.left.set()

    async def _until_gone(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


def test_an_answer_is_not_read_on_for_a_client_that_has_left(serve: Any, start_gateway: Any, unused_port: Any) -> None:
    service, port = Endless(), unused_port()
    with serve(service, port), start_gateway(**_everywhere(f"http://127.0.0.1:{port}")) as (url, _):
        with _connect(url) as connection:
            connection.sendall(b"GET /songs HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000)
        assert service.left.wait(5)


def test_requests_in_flight_are_finished_at_a_shutdown(service_url: Any, start_gateway: Any) -> None:
    answers: list[httpx.Response] = []
    with start_gateway(**_everywhere(service_url[1])) as (url, pid):
        before = len(service_url[0].seen)
        call = threading.Thread(target=lambda: answers.append(plain_http.get(f"{url}/songs/slow")))
        call.start()
        _eventually(lambda: len(service_url[0].seen) > before)
        os.kill(pid, signal.SIGTERM)
        call.join()

    assert [answer.status_code for answer in answers] == [200]


def test_a_token_is_refused_before_the_body_is_awaited(url: str) -> None:
    request = b"POST /playlists HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"

    assert _raw(url, request).startswith(b"HTTP/1.1 401 ")


def test_without_keys_a_token_is_neither_good_nor_bad(start_gateway: Any, unused_port: Any, token: str) -> None:
    with start_gateway(**_everywhere(f"http://127.0.0.1:{unused_port()}")) as (url, _):
        answer = plain_http.get(f"{url}/playlists", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json()["status"], answer.headers["Retry-After"]) == (503, "error", "1")


def test_a_token_that_another_key_signed_is_refused(client: httpx.Client) -> None:
    forged = TokenIssuer().token()

    answer = client.get("/playlists", headers={"Authorization": f"Bearer {forged}"})

    assert (answer.status_code, answer.json()["status"]) == (401, "fail")


def test_a_client_that_asks_first_is_told_to_go_on(url: str) -> None:
    head = b"POST /songs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with _connect(url) as connection:
        connection.sendall(head % 5)
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_there_is_one_date_and_a_length_in_the_answer(url: str) -> None:
    head = _raw(url, b"GET /songs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").partition(b"\r\n\r\n")[0].lower()

    assert head.count(b"\r\ndate:") == 1
    assert head.count(b"\r\ncontent-length:") == 1
    assert b"transfer-encoding" not in head


def test_header_bytes_that_are_not_ascii_arrive_as_they_were_sent(url: str, service_url: Any) -> None:
    _raw(url, b"GET /songs HTTP/1.1\r\nHost: x\r\nX-Kind: \xc3\xa9\r\nConnection: close\r\n\r\n")

    assert service_url[0].seen[-1]["headers"]["x-kind"].encode("latin-1") == b"\xc3\xa9"


def test_too_many_headers_are_refused(client: httpx.Client) -> None:
    assert client.get("/songs", headers={f"X-{number}": "" for number in range(101)}).status_code == 431


def test_its_own_health_knows_no_other_method(client: httpx.Client) -> None:
    answer = client.post("/health/live")

    assert (answer.status_code, answer.headers["Allow"], answer.json()["status"]) == (405, "GET, HEAD, OPTIONS", "fail")


def test_a_cover_can_be_asked_for_its_headers_only(client: httpx.Client) -> None:
    answer = client.head("/covers/album-1/a.png")

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NONSENSE\r\n\r\n",
        b"GET /songs HTTP/1.1\r\nBroken header\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /songs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /songs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /songs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_the_one_shape(url: str, request_bytes: bytes) -> None:
    head, _, body = _raw(url, request_bytes).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/json" in head
    answer = json.loads(body)
    assert answer["status"] == "fail"
    assert answer["message"]


def test_a_head_without_end_is_cut_off(url: str) -> None:
    with _connect(url) as connection:
        connection.sendall(b"GET /songs HTTP/1.1\r\nHost: x\r\nX-Long: ")
        sent = 0
        try:
            while sent < 10_000_000:
                connection.sendall(b"x" * 10_000)
                sent += 10_000
        except OSError:
            pass
        assert sent < 10_000_000


def test_a_head_that_is_too_long_is_told_so_before_it_ends(url: str) -> None:
    with _connect(url) as connection:
        connection.sendall(b"GET /songs HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 66_000)
        head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["status"] == "fail"


def test_a_body_that_stops_coming_is_408(service_url: Any, start_gateway: Any) -> None:
    with start_gateway(**_everywhere(service_url[1]), body_timeout=0.3) as (url, _):
        for length in (10, 100_000):  # one that is read first, one that is passed on as it comes
            head = b"POST /songs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length
            answer = _raw(url, head + b"slow")
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"status": "fail"' in answer


def test_a_client_may_take_longer_to_send_than_a_service_to_answer(service_url: Any, start_gateway: Any) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(4):
            time.sleep(0.4)
            yield b"x" * 25_000

    with start_gateway(**_everywhere(service_url[1]), upstream_timeout=0.25) as (url, _):
        answer = plain_http.post(f"{url}/albums/a/covers", content=pieces())

    assert (answer.status_code, answer.json()["size"]) == (200, 100_000)


class Unwilling:
    """Neither reads what it is sent nor answers, until it may."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    async def __call__(self, _scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.to_thread(self.may_end.wait)


def test_a_service_that_does_not_take_what_it_is_sent_is_504(serve: Any, start_gateway: Any, unused_port: Any) -> None:
    service, port = Unwilling(), unused_port()
    with (
        serve(service, port),
        start_gateway(**_everywhere(f"http://127.0.0.1:{port}"), upstream_timeout=0.3, body_limit=10**8) as (url, _),
    ):
        answer = plain_http.post(f"{url}/songs", content=iter([b"x" * 1_000_000] * 20))
        service.may_end.set()

    assert (answer.status_code, answer.json()["status"]) == (504, "error")
