"""What goes on, and what is refused at once, while a part is away or full. More stands with the single services."""

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from audit import Auditor
from clients import Answer, Client, Journal, User, client, register
from models import picture
from network import Network
from story import time_until_story_works

from openmusic_local.servers import postgres
from openmusic_local.stack import Stack
from openmusic_testkit.waiting import eventually

pytestmark = pytest.mark.timeout(300)

RECOVERS_WITHIN = 10.0  # seconds
LONGEST_REQUEST = 15.0
Without = Callable[[str], AbstractContextManager[None]]
SONG = {"title": "Fix You", "year": 2005, "genre": "Rock", "performer": "Coldplay"}


class Listener:
    """A user with an album that has a cover, and a playlist with one song."""

    def __init__(self, http: Client, user: User) -> None:
        self.http = http
        self.user = user
        self.album = self.song = self.playlist = self.cover = ""

    async def make(self, path: str, body: Any, key: str) -> str:
        answer = await self.http.ask("POST", path, body, self.user)
        assert answer.status == 201, answer
        return str(answer.data[key])

    async def settle_in(self) -> None:
        self.album = await self.make("/albums", {"name": "X&Y", "year": 2005}, "albumId")
        self.song = await self.make("/songs", {**SONG, "albumId": self.album}, "songId")
        self.playlist = await self.make("/playlists", {"name": "Slow ones"}, "playlistId")
        await self.add(self.song)
        assert (await self.http.upload(f"/albums/{self.album}/covers", picture((9, 9, 9)))).status == 201
        shown = await self.get(f"/albums/{self.album}")
        self.cover = "/covers/" + shown.data["album"]["coverUrl"].partition("/covers/")[2]

    async def add(self, song_id: str) -> None:
        answer = await self.http.ask("POST", f"/playlists/{self.playlist}/songs", {"songId": song_id}, self.user)
        assert answer.status == 201, answer

    async def get(self, path: str) -> Answer:
        answer = await self.http.ask("GET", path, user=self.user)
        assert answer.status == 200, answer
        return answer

    async def songs(self) -> list[str]:
        answer = await self.get(f"/playlists/{self.playlist}/songs")
        return [song["id"] for song in answer.data["playlist"]["songs"]]


@pytest.fixture
async def listener(url: str) -> AsyncIterator[Listener]:
    async with client(url, journal=Journal()) as http:
        listener = Listener(http, await register(http, f"listener_{secrets.token_hex(6)}"))
        await listener.settle_in()
        yield listener


@pytest.fixture
async def friend(listener: Listener) -> User:
    return await register(listener.http, f"friend_{secrets.token_hex(6)}")


@pytest.fixture
def start(stack: Stack, network: Network) -> Callable[[str], None]:
    """Starts a part that was stopped, and waits until the others reach it."""

    def start(part: str) -> None:
        stack.start_process(part)
        network.wait_until_open(part)

    return start


@pytest.fixture
def without(stack: Stack, start: Callable[[str], None]) -> Without:
    @contextmanager
    def without(part: str) -> Iterator[None]:
        stack.stop_process(part)
        try:
            yield
        finally:
            start(part)

    return without


def refused_for_now(answer: Answer) -> bool:
    assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True), answer
    return True


@pytest.mark.smoke
async def test_without_redis_every_read_is_fresh(without: Without, listener: Listener) -> None:
    with without("redis"):
        for number in range(3):
            added = await listener.make("/songs", {**SONG, "title": f"Song {number}"}, "songId")
            await listener.add(added)
            for _ in range(2):
                shown = await listener.get(f"/playlists/{listener.playlist}/songs")
                assert [song["id"] for song in shown.data["playlist"]["songs"]][-1] == added
                assert not shown.cached
            method = "DELETE" if number % 2 else "POST"
            likes = f"/albums/{listener.album}/likes"
            assert (await listener.http.ask(method, likes, user=listener.user)).status in {200, 201}
            for _ in range(2):
                liked = await listener.get(likes)
                assert (liked.data["likes"], liked.cached) == (1 - number % 2, False)
            named = {"name": f"Album {number}", "year": 2005}
            assert (await listener.http.ask("PUT", f"/albums/{listener.album}", named)).status == 200
            for _ in range(2):
                album = await listener.get(f"/albums/{listener.album}")
                assert (album.data["album"]["name"], album.cached) == (named["name"], False)


@pytest.mark.smoke
async def test_without_the_catalogue_playlists_are_still_read_and_left(without: Without, listener: Listener) -> None:
    with without("catalog"):
        assert await listener.songs() == [listener.song]
        await listener.get(f"/playlists/{listener.playlist}/activities")
        assert [each["id"] for each in (await listener.get("/playlists")).data["playlists"]] == [listener.playlist]
        refused_for_now(await listener.http.ask("GET", f"/songs/{listener.song}"))
        left = {"songId": listener.song}
        songs = f"/playlists/{listener.playlist}/songs"
        assert (await listener.http.ask("DELETE", songs, left, listener.user)).status == 200
        assert await listener.songs() == []


@pytest.mark.smoke
async def test_without_storage_only_covers_fail(without: Without, listener: Listener) -> None:
    with without("objectstore"):
        refused_for_now(await listener.http.upload(f"/albums/{listener.album}/covers", picture((1, 1, 1))))
        refused_for_now(await listener.http.ask("GET", listener.cover))
        shown = await listener.get(f"/albums/{listener.album}")
        assert shown.data["album"]["coverUrl"].endswith(listener.cover)
        await Listener(listener.http, listener.user).make("/albums", {"name": "X&Y", "year": 2005}, "albumId")
        await listener.add(await listener.make("/songs", SONG, "songId"))
        await listener.make("/playlists", {"name": "More"}, "playlistId")

    await listener.get(listener.cover)
    assert (await listener.http.upload(f"/albums/{listener.album}/covers", picture((1, 1, 1)))).status == 201


async def test_without_the_broker_a_song_is_in_a_playlist_at_once(without: Without, listener: Listener) -> None:
    with without("rabbitmq"):
        added = await listener.make("/songs", {**SONG, "albumId": listener.album}, "songId")
        await listener.add(added)
        assert await listener.songs() == [listener.song, added]
        newcomer = await register(listener.http, f"newcomer_{secrets.token_hex(6)}")
        shared = {"playlistId": listener.playlist, "userId": newcomer.id}
        assert (await listener.http.ask("POST", "/collaborations", shared, listener.user)).status == 201
        renamed = {**SONG, "title": "Talk"}
        assert (await listener.http.ask("PUT", f"/songs/{added}", renamed)).status == 200

    async def renamed_in_the_playlist() -> bool:
        shown = await listener.get(f"/playlists/{listener.playlist}/songs")
        return bool(shown.data["playlist"]["songs"][1]["title"] == "Talk")

    await eventually(renamed_in_the_playlist)


async def test_exports_wait_for_a_mail_server_however_often_they_were_tried(
    without: Without, listener: Listener, auditor: Auditor
) -> None:
    """The same as in an hour: from the sixth failure on, an export is tried once a minute, for three days."""
    address = f"{secrets.token_hex(6)}@late.test"
    path = f"/export/playlists/{listener.playlist}"
    tries = "SELECT min(attempts) FROM export_jobs WHERE target_email = %s"
    with without("mail"):
        for _ in range(50):
            assert (await listener.http.ask("POST", path, {"targetEmail": address}, listener.user)).status == 201
        await eventually(lambda: auditor.select("export", tries, address)[0][0] >= 3, 30)

    await eventually(lambda: auditor.copies(address), 90)
    sent = "SELECT count(*) FROM export_jobs WHERE target_email = %s AND status = 'sent'"
    await eventually(lambda: auditor.select("export", sent, address) == [(50,)], 90)
    assert await auditor.copies(address) == 50


async def test_a_long_absence_of_the_database_is_over_when_it_is_back(
    without: Without, listener: Listener, friend: User, auditor: Auditor
) -> None:
    """However long ago it was last tried to connect: every request tries."""
    with without("postgres"):
        end = time.monotonic() + 17
        while time.monotonic() < end:
            started = time.monotonic()
            refused_for_now(await listener.http.ask("POST", "/songs", SONG))
            assert time.monotonic() - started < LONGEST_REQUEST

    assert await time_until_story_works(listener.http, auditor, friend, RECOVERS_WITHIN) < RECOVERS_WITHIN


@pytest.mark.smoke
async def test_when_all_connections_of_a_pool_hang_its_service_refuses_and_the_others_go_on(
    stack: Stack, listener: Listener, friend: User, auditor: Auditor
) -> None:
    with _administrator(stack, "openmusic_playlist") as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE playlists IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        asked = [listener.http.ask("POST", "/playlists", {"name": "Blocked"}, listener.user) for _ in range(40)]
        answers = await asyncio.gather(*asked)
        assert all(refused_for_now(answer) for answer in answers)
        assert time.monotonic() - started < LONGEST_REQUEST
        await listener.get(f"/albums/{listener.album}")
        await listener.make("/songs", SONG, "songId")

    assert await time_until_story_works(listener.http, auditor, friend, RECOVERS_WITHIN) < RECOVERS_WITHIN


async def test_a_service_that_gets_no_more_connections_refuses_and_the_others_go_on(
    stack: Stack, listener: Listener, friend: User, auditor: Auditor
) -> None:
    with _administrator(stack, "postgres") as administrator:
        administrator.execute("ALTER ROLE openmusic_catalog CONNECTION LIMIT 0")
        try:
            administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                  "WHERE usename = 'openmusic_catalog'")  # fmt: skip
            started = time.monotonic()
            asked = [listener.http.ask("POST", "/songs", SONG) for _ in range(40)]
            assert all(refused_for_now(answer) for answer in await asyncio.gather(*asked))
            assert time.monotonic() - started < LONGEST_REQUEST
            assert await listener.songs() == [listener.song]
        finally:
            administrator.execute("ALTER ROLE openmusic_catalog CONNECTION LIMIT -1")

    assert await time_until_story_works(listener.http, auditor, friend, RECOVERS_WITHIN) < RECOVERS_WITHIN


@pytest.fixture
def small_disk(stack: Stack, start: Callable[[str], None]) -> Iterator[Path]:
    """PostgreSQL's files on a file system of their own, with room for little more."""
    folder = stack.folder / "postgres"
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    stack.stop_process("postgres")
    aside = folder.with_name("postgres-aside")
    folder.rename(aside)
    folder.mkdir()
    size = int(subprocess.run(["du", "-sm", aside], check=True, capture_output=True, text=True).stdout.split()[0]) + 64
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", folder], check=False)
    if mounted.returncode == 0:
        subprocess.run(["cp", "-a", f"{aside}/.", folder], check=True)
        start("postgres")
        yield folder
        stack.stop_process("postgres")
        subprocess.run(["cp", "-a", f"{folder}/.", aside], check=True)
        subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()
    aside.rename(folder)
    start("postgres")
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")


@pytest.mark.smoke
async def test_a_full_disk_of_the_database_refuses_writes_and_nothing_hangs(
    small_disk: Path, listener: Listener, friend: User, auditor: Auditor
) -> None:
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(65_536))
            file.flush()
    name = "x" * 1000
    answers = [await listener.http.ask("POST", "/albums", {"name": name, "year": 2005}) for _ in range(100)]
    refused = [answer for answer in answers if answer.status != 201]

    assert refused
    assert all(refused_for_now(answer) for answer in refused)
    assert listener.http.journal.slowest[0] < LONGEST_REQUEST

    ballast.unlink()
    assert await time_until_story_works(listener.http, auditor, friend, RECOVERS_WITHIN) < RECOVERS_WITHIN
    assert await listener.songs() == [listener.song]


def _administrator(stack: Stack, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=stack.server_port("postgres"),
        user=postgres.ADMIN,
        password=stack.secret("postgres"),
        dbname=database,
        autocommit=True,
    )
