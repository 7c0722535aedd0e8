"""One gateway in several processes on one port: consistent, healed and drained like one."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest
from uvicorn.config import STARTUP_FAILURE

from openmusic_testkit import plain_http
from openmusic_testkit.waiting import wait_until

NAMES = ("auth", "catalog", "playlist", "media", "export")
WORKERS = 2
LIMIT = 20
COUNTED = "/albums/counted"
ESTABLISHED = "01"  # in /proc/net/tcp


class Gateway:
    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def clients(self) -> dict[int, set[int]]:
        """The ports of the clients that are connected to each worker."""
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        accepted = {
            each[9]: int(each[2].rpartition(":")[2], 16)
            for each in sockets
            if each[1].endswith(f":{self.port:04X}") and each[3] == ESTABLISHED
        }
        return {pid: {accepted[each] for each in accepted.keys() & self._sockets(pid)} for pid in self.workers}

    def reaches_all(self) -> bool:
        """Whether each worker has more than one connection."""
        return min(map(len, self.clients().values())) > 1

    def _sockets(self, pid: int) -> set[str]:
        found = set()
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                found.add(str(each.readlink()).removeprefix("socket:[").removesuffix("]"))
        return found


class Answer:
    def __init__(self, response: HTTPResponse) -> None:
        self.headers = response.headers
        self.changes = json.loads(response.read())["changes"]


def ask(connection: HTTPConnection, method: str) -> Answer:
    connection.request(method, COUNTED)
    return Answer(connection.getresponse())


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def run(settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "openmusic_gateway", "serve"]
    with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def start(start_gateway: Any, service_url: Any, redis_server: tuple[str, int]) -> Callable[..., Any]:
    """Starts a gateway of several workers in front of one service."""
    settings = {
        **{f"{name}_url": service_url[1] for name in NAMES},
        "redis_server": redis_server[0],
        "redis_port": redis_server[1],
        "workers": WORKERS,
    }

    @contextmanager
    def start_one(**changes: Any) -> Iterator[Gateway]:
        with start_gateway(**{**settings, **changes}) as (url, pid):
            yield Gateway(url, pid)

    return start_one


@contextmanager
def connections_to_all(gateway: Gateway) -> Iterator[list[httpx.Client]]:
    """Clients of one connection each, more than one of them at every worker."""
    with ExitStack() as opened:
        clients: list[httpx.Client] = []

        def reach_all() -> bool:
            client = opened.enter_context(plain_http.Client(base_url=gateway.url))
            assert client.get("/health/live").status_code == 200
            clients.append(client)
            return gateway.reaches_all()

        wait_until(reach_all, 60)
        yield clients


def test_a_change_through_one_connection_is_seen_through_all_others(start: Any, service_url: Any) -> None:
    before = service_url[0].changes
    with start() as gateway, connections_to_all(gateway) as clients:
        for change in range(1, 30):
            wait_until(lambda: all(each.get(COUNTED).headers.get("x-data-source") == "cache" for each in clients), 60)
            assert clients[change % len(clients)].put(COUNTED, content=b"{}").status_code == 200
            assert [each.get(COUNTED).json()["changes"] - before for each in clients] == [change] * len(clients)


def test_a_worker_that_hangs_during_a_change_does_not_give_the_older_value(start: Any) -> None:
    with start() as gateway, ExitStack() as opened:
        connections: list[HTTPConnection] = []

        def reach_all() -> bool:
            connections.append(HTTPConnection("127.0.0.1", gateway.port))
            opened.callback(connections[-1].close)
            ask(connections[-1], "GET")
            return gateway.reaches_all()

        wait_until(reach_all, 60)
        hanging, clients = next(iter(gateway.clients().items()))
        reader = next(each for each in connections if each.sock.getsockname()[1] in clients)
        writer = next(each for each in connections if each.sock.getsockname()[1] not in clients)
        for _ in range(10):
            wait_until(lambda: ask(reader, "GET").headers["x-data-source"] == "cache", 60)
            os.kill(hanging, signal.SIGSTOP)
            changes = ask(writer, "PUT").changes
            reader.request("GET", COUNTED)
            os.kill(hanging, signal.SIGCONT)
            assert Answer(reader.getresponse()).changes == changes


def test_requests_are_counted_for_all_workers_together(start: Any) -> None:
    limits = {"requests_by_address": LIMIT, "requests_window": 3600, "limit_wait": 10}
    with start(**limits) as gateway, connections_to_all(gateway) as clients:
        answers = [clients[number % len(clients)].get("/songs").status_code for number in range(20 * LIMIT)]

    assert LIMIT <= answers.count(200) < WORKERS * LIMIT
    assert answers[-1] == 429


def test_a_worker_that_was_killed_is_replaced(start: Any) -> None:
    with start() as gateway:
        killed, other = gateway.workers
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(gateway.workers) == WORKERS and killed not in gateway.workers, 60)
        assert other in gateway.workers
        with connections_to_all(gateway) as clients:
            assert {each.get("/songs").status_code for each in clients} == {200}


def test_requests_in_flight_at_all_workers_are_finished_at_a_shutdown(start: Any, service_url: Any) -> None:
    service = service_url[0]
    answers: list[int] = []
    with start() as gateway, connections_to_all(gateway) as clients:
        processes = [gateway.pid, *gateway.workers]
        before = len(service.seen)
        calls = [
            threading.Thread(target=lambda client=each: answers.append(client.get("/songs/slow").status_code))
            for each in clients
        ]
        for call in calls:
            call.start()
        wait_until(lambda: len(service.seen) == before + len(clients), 60)
        os.kill(gateway.pid, signal.SIGTERM)
        for call in calls:
            call.join()
        assert answers == [200] * len(clients)
        wait_until(lambda: not any(map(runs, processes)), 60)


def test_workers_end_with_a_parent_that_was_killed(unused_port: Any) -> None:
    settings = {"PORT": str(unused_port()), "WORKERS": str(WORKERS)}
    with run(settings) as process:
        gateway = Gateway("", process.pid)
        wait_until(lambda: len(gateway.workers) == WORKERS, 60)
        workers = gateway.workers
        process.kill()
        wait_until(lambda: not any(map(runs, workers)), 60)


def test_each_worker_believes_the_proxy_protocol(start: Any) -> None:
    request = b"PROXY TCP4 203.0.113.7 127.0.0.1 50123 5000\r\nGET /songs HTTP/1.1\r\nHost: x\r\n\r\n"
    with start(proxy_protocol=True, requests_by_address=LIMIT, requests_window=3600, limit_wait=10) as gateway:
        with ExitStack() as opened:
            answers: list[bytes] = []

            def ask() -> bool:
                connection = opened.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
                connection.sendall(request)
                answers.append(connection.recv(65_536).partition(b"\r\n")[0])
                return len(answers) > WORKERS * LIMIT and gateway.reaches_all()

            wait_until(ask, 60)
        assert plain_http.get(f"{gateway.url}/songs").status_code == 200  # of another address

    assert set(answers[:LIMIT]) == {b"HTTP/1.1 200 OK"}
    assert set(answers[WORKERS * LIMIT :]) == {b"HTTP/1.1 429 Too Many Requests"}


def test_a_gateway_whose_port_is_taken_ends(start: Any) -> None:
    with start() as gateway, run({"PORT": str(gateway.port), "WORKERS": str(WORKERS)}) as process:
        assert process.wait(timeout=60) == STARTUP_FAILURE
