"""Copies share the work, and one that dies takes no read with it."""

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from compose_stack import GATEWAYS, RECOVERY, SCALE, Compose
from docker.models.containers import Container

from openmusic_testkit.waiting import wait_until

READS = 3000
CLIENTS = 16


def served(container: Container, mark: str) -> int:
    """Requests in the log of this copy whose id begins with the mark."""
    lines = container.logs().decode().splitlines()
    requests = [json.loads(line) for line in lines if mark in line]
    return sum(each["message"] == "request" and each["request_id"].startswith(mark) for each in requests)


def settled(worker: Container) -> int:
    """Exports that the log of this worker tells of."""
    return worker.logs().count(b'"export settled"')


@pytest.fixture
def playlist(http: httpx.Client, user: dict[str, str]) -> str:
    answer = http.post("/playlists", json={"name": "Popular"}, headers=user).raise_for_status()
    playlist_id: str = answer.json()["data"]["playlistId"]
    song = {"title": "Fix You", "year": 2005, "genre": "Pop", "performer": "Coldplay"}
    song_id = http.post("/songs", json=song).raise_for_status().json()["data"]["songId"]
    http.post(f"/playlists/{playlist_id}/songs", json={"songId": song_id}, headers=user).raise_for_status()
    return playlist_id


def read_many(
    playlist: str, user: dict[str, str], mark: str, at_a_third: Callable[[], Any] = lambda: None, reads: int = READS
) -> list[int]:
    """The statuses of many reads, on connections to both gateways."""
    clients = [httpx.Client(base_url=url, timeout=30, trust_env=False) for url in GATEWAYS]

    def read(number: int) -> int:
        if number == reads // 3:
            at_a_third()
        headers = {**user, "X-Request-ID": f"{mark}-{number}"}
        new_to_the_edge = {"number": str(number)}  # the gateways would answer most of the others from memory
        path = f"/playlists/{playlist}/songs"
        return clients[number % 2].get(path, params=new_to_the_edge, headers=headers).status_code

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = list(pool.map(read, range(reads)))
    for client in clients:
        client.close()
    return statuses


def test_each_of_three_copies_serves_at_least_a_fifth(compose: Compose, user: dict[str, str], playlist: str) -> None:
    mark = secrets.token_hex(8)

    assert read_many(playlist, user, mark) == [200] * READS

    shares = [served(container, mark) for container in compose.containers("playlist-service")]
    assert len(shares) == 3
    assert min(shares) >= READS / 5, shares


def test_all_seven_processes_run_in_copies_and_both_gateways_serve(
    compose: Compose, user: dict[str, str], playlist: str
) -> None:
    assert {name: len(compose.containers(name)) for name in SCALE} == SCALE
    mark = secrets.token_hex(8)
    read_many(playlist, user, mark, reads=200)
    gateways = compose.containers("gateway")
    wait_until(lambda: sum(served(each, mark) for each in gateways) == 200, RECOVERY)  # they write their logs by and by
    assert min(served(each, mark) for each in gateways) > 0


def test_a_change_through_one_gateway_is_seen_through_the_other(compose: Compose) -> None:
    """Each client keeps one connection, and the proxy leads two of them to two gateways."""
    assert len(compose.containers("gateway")) > 1
    writer, reader = (httpx.Client(base_url=url, timeout=30, trust_env=False) for url in GATEWAYS)
    with writer, reader:
        album = writer.post("/albums", json={"name": "0", "year": 2002}).raise_for_status().json()["data"]["albumId"]
        for number in range(50):
            writer.put(f"/albums/{album}", json={"name": f"{number}", "year": 2002}).raise_for_status()
            found = reader.get(f"/albums/{album}").raise_for_status().json()
            assert found["data"]["album"]["name"] == f"{number}"


def test_no_read_fails_when_a_copy_is_killed(compose: Compose, user: dict[str, str], playlist: str) -> None:
    victim = compose.containers("playlist-service")[0]
    mark = secrets.token_hex(8)

    assert read_many(playlist, user, mark, victim.kill) == [200] * READS

    assert served(victim, mark) > 0
    victim.start()
    wait_until(compose.healthy, RECOVERY)


def test_every_worker_sends_exports(
    compose: Compose, http: httpx.Client, user: dict[str, str], playlist: str, mails: Any
) -> None:
    address = f"{secrets.token_hex(4)}@workers.test"
    before = {each.id: settled(each) for each in compose.containers("export-worker")}
    for _ in range(80):
        http.post(f"/export/playlists/{playlist}", json={"targetEmail": address}, headers=user).raise_for_status()

    wait_until(lambda: len(mails(address)) == 80, RECOVERY)
    shares = [settled(each) - before[each.id] for each in compose.containers("export-worker")]
    assert (len(shares), sum(shares)) == (SCALE["export-worker"], 80), shares
    assert min(shares) > 0, shares
