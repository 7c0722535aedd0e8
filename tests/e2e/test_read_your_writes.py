"""A song that was renamed or deleted is so in every playlist that is read afterwards, through whichever gateway.

The broker is down all the time: no event helps.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
import redis

from openmusic_testkit import plain_http
from openmusic_testkit.serving import free_port
from openmusic_testkit.waiting import wait_until

DEADLINE = 90.0  # seconds for a process to start
SONG = {"year": 2008, "genre": "Pop", "performer": "Coldplay"}


@contextmanager
def process(name: str, environment: dict[str, str]) -> Iterator[str]:
    """Runs one more copy of a process, and gives its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    running = subprocess.Popen(
        [sys.executable, "-m", f"openmusic_{name}", "serve"],
        env={**os.environ, **environment, "HOST": "127.0.0.1", "PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_ready(url), DEADLINE)
        yield url
    finally:
        running.terminate()
        running.wait(timeout=20)


def is_ready(url: str) -> bool:
    try:
        return plain_http.get(f"{url}/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


Gateway = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def start(stack: Any) -> Iterator[Callable[..., str]]:
    with ExitStack() as running:

        def start_one(name: str, **changes: str) -> str:
            return running.enter_context(process(name, {**stack.environment(name), **changes}))

        yield start_one


@pytest.fixture(scope="module")
def gateway(start: Callable[..., str]) -> Iterator[Gateway]:
    with ExitStack() as clients:

        def start_one(**changes: str) -> httpx.Client:
            url = start("gateway", **changes)
            return clients.enter_context(plain_http.Client(base_url=url))

        yield start_one


@pytest.fixture(scope="module")
def gateways(gateway: Gateway) -> list[httpx.Client]:
    return [gateway(), gateway()]


@pytest.fixture(scope="module")
def no_broker(stack: Any, alice: Any, gateways: list[httpx.Client]) -> Iterator[None]:  # noqa: ARG001 - these come first
    stack.stop_process("rabbitmq")
    yield
    stack.start_process("rabbitmq")


class Story:
    def __init__(self, client: Any, user: Any, size: int) -> None:
        self._user = user
        self.titles = {client.song(f"Song {number}"): f"Song {number}" for number in range(size)}
        self._playlist_id = client.playlist(user)
        for song_id in self.titles:
            client.add(self._playlist_id, song_id, user)

    def read(self, gateway: httpx.Client) -> dict[str, str]:
        answer = gateway.get(f"/playlists/{self._playlist_id}/songs", headers=self._user.headers)
        assert answer.status_code == 200, answer.text
        return {song["id"]: song["title"] for song in answer.json()["data"]["playlist"]["songs"]}

    def play(
        self, writers: list[httpx.Client], readers: list[httpx.Client], between: Callable[[], object] = lambda: None
    ) -> None:
        """Renames and deletes each song once, and reads after each change."""
        for step, song_id in enumerate(list(self.titles) * 2):
            for reader in readers:
                assert self.read(reader) == self.titles
            writer = writers[step % len(writers)]
            if self.titles[song_id].startswith("Song"):
                self.titles[song_id] = f"Renamed {step}"
                answer = writer.put(f"/songs/{song_id}", json=SONG | {"title": f"Renamed {step}"})
            else:
                del self.titles[song_id]
                answer = writer.delete(f"/songs/{song_id}")
            assert answer.status_code == 200, answer.text
            between()
            for reader in reversed(readers):
                assert self.read(reader) == self.titles


@pytest.fixture
def story(no_broker: None, client: Any, alice: Any) -> Callable[[int], Story]:  # noqa: ARG001 - is down meanwhile
    return lambda size: Story(client, alice, size)


def test_each_change_is_in_the_next_read_through_both_gateways(
    story: Callable[[int], Story], gateways: list[httpx.Client]
) -> None:
    story(20).play(gateways, gateways)


def test_so_it_is_when_the_catalogue_alone_has_no_redis(
    story: Callable[[int], Story], gateways: list[httpx.Client], gateway: Gateway, start: Callable[..., str]
) -> None:
    catalogue = start("catalog", REDIS_PORT="1")
    story(5).play([gateway(CATALOG_URL=catalogue)], gateways)


def test_so_it_is_when_the_playlist_service_alone_has_no_redis(
    story: Callable[[int], Story], gateways: list[httpx.Client], gateway: Gateway, start: Callable[..., str]
) -> None:
    playlist = start("playlist", REDIS_PORT="1")
    story(5).play(gateways, [gateway(PLAYLIST_URL=playlist), *gateways])


def test_so_it_is_when_redis_is_emptied_after_each_change(
    story: Callable[[int], Story], gateways: list[httpx.Client], stack: Any
) -> None:
    with redis.Redis(port=stack.server_port("redis")) as server:
        story(5).play(gateways, gateways, between=server.flushall)
