"""openmusic read-copies rebuild against the services that own songs and users, while clients go on."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from openmusic_testkit.waiting import wait_until

OPENMUSIC = Path(sys.executable).with_name("openmusic")


@pytest.fixture
def rebuild(stack: Any) -> Callable[[], str]:
    def run() -> str:
        environment = {**os.environ, **stack.environment("playlist")}
        done = subprocess.run(
            [OPENMUSIC, "read-copies", "rebuild"], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def damage(stack: Any) -> Callable[[str, list[str]], int]:
    """Runs SQL in the database of the playlist service, past its code; the number of rows it concerned."""

    def execute(statement: str, parameters: list[str]) -> int:
        settings = stack.environment("playlist")
        with psycopg.connect(
            host=settings["PGHOST"],
            port=settings["PGPORT"],
            dbname=settings["PGDATABASE"],
            user=settings["PGUSER"],
            password=settings["PGPASSWORD"],
        ) as connection:
            return connection.execute(statement, parameters).rowcount

    return execute


def test_damaged_copies_are_repaired_while_clients_read_and_write(client: Any, rebuild: Any, damage: Any) -> None:
    owner = client.register("rebuilder")
    playlist_id, busy = client.playlist(owner), client.playlist(owner)
    old, missing, gone = [client.song(title) for title in ("right", "missing", "gone")]
    for song_id in (old, missing, gone):
        client.add(playlist_id, song_id, owner)
    ghost = "song-" + "0" * 32
    last = client.song("told after all others")
    wait_until(lambda: damage("SELECT FROM songs WHERE id = %s", [last]))
    damage("UPDATE songs SET title = 'damaged' WHERE id = %s", [old])
    damage("DELETE FROM songs WHERE id = %s", [missing])
    damage("INSERT INTO songs (id, title, performer, version) VALUES (%s, 'ghost', 'g', 1)", [ghost])
    damage("INSERT INTO playlist_songs (playlist_id, song_id) VALUES (%s, %s)", [playlist_id, ghost])
    assert {"damaged", "ghost"} < {song["title"] for song in client.songs_in(playlist_id, owner)}

    told: list[str] = []
    rebuilding = threading.Thread(target=lambda: told.append(rebuild()))
    rebuilding.start()
    written = []
    while rebuilding.is_alive():
        written.append(client.song(f"song {len(written)}"))
        client.add(busy, written[-1], owner)
        assert [song["id"] for song in client.songs_in(busy, owner)] == written
    rebuilding.join()

    assert written
    (lines,) = (each.splitlines() for each in told)
    assert {f"{old} was wrong", f"{missing} was missing", f"{ghost} is no more"} <= set(lines)
    assert [song["title"] for song in client.songs_in(playlist_id, owner)] == ["right", "missing", "gone"]
    assert [song["id"] for song in client.songs_in(busy, owner)] == written
    assert client.call("DELETE", f"/songs/{gone}").status_code == 200
    wait_until(lambda: [song["title"] for song in client.songs_in(playlist_id, owner)] == ["right", "missing"])
    assert rebuild().startswith("0 copies repaired")
