"""The code of today on the schema of tomorrow: what an upgrade looks like to the copies that are replaced last."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from openmusic_kit.database.database import connection_string
from openmusic_kit.database.migrations import migrate
from openmusic_kit.settings import DatabaseSettings
from openmusic_operations.system import WITH_DATABASE
from openmusic_testkit.waiting import wait_until


@pytest.fixture
def upgrade(stack: Any, tmp_path: Path) -> Callable[[str], list[str]]:
    """Migrates a service's database once more: every table gets a column and an index. Gives their names."""

    def apply(service: str) -> list[str]:
        environment = stack.environment(service)
        settings = DatabaseSettings(**{name.lower(): value for name, value in environment.items() if name[:2] == "PG"})
        with psycopg.connect(connection_string(settings)) as connection:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ 'yoyo'"
            tables = [name for (name,) in connection.execute(query)]
        folder = tmp_path / service
        folder.mkdir()
        for table in tables:
            (folder / f"{service}-9999-{table}.sql").write_text(
                f"ALTER TABLE {table} ADD COLUMN of_the_next_version text;\n"
                f"CREATE INDEX {table}_of_the_next_version ON {table} (of_the_next_version);\n"
            )
        assert migrate(settings, folder) == len(tables)
        return tables

    return apply


def play(client: Any, picture: Callable[..., bytes], mails: Any) -> None:
    """A story that reads and writes every table."""
    owner, friend = client.register("upgrader"), client.register("friend")
    album_id = client.album("Parachutes")
    song_id = client.song("Yellow", albumId=album_id)
    client.created(f"/albums/{album_id}/likes", None, friend)
    assert client.call("GET", f"/albums/{album_id}/likes").json()["data"]["likes"] == 1
    assert client.upload(album_id, picture()).status_code == 201
    assert client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["songs"][0]["id"] == song_id
    for path in ("/songs?title=yell", f"/songs/{song_id}", f"/users/{owner.id}", "/playlists"):
        assert client.call("GET", path, user=owner).status_code == 200
    playlist_id = client.playlist(owner)
    client.share(playlist_id, owner, friend)
    client.add(playlist_id, song_id, friend)
    renamed = {"title": "Yellow (live)", "year": 2000, "genre": "Pop", "performer": "Coldplay"}
    assert client.call("PUT", f"/songs/{song_id}", renamed).status_code == 200
    wait_until(lambda: client.songs_in(playlist_id, owner)[0]["title"] == "Yellow (live)")
    activities = client.call("GET", f"/playlists/{playlist_id}/activities", user=owner).json()["data"]["activities"]
    assert [each["username"] for each in activities] == [friend.username]
    address = f"{owner.username}@upgrade.test"
    client.created(f"/export/playlists/{playlist_id}", {"targetEmail": address}, owner)
    wait_until(lambda: mails(address))
    assert client.call("PUT", "/authentications", {"refreshToken": owner.refresh_token}).status_code == 200
    assert client.call("DELETE", "/authentications", {"refreshToken": owner.refresh_token}).status_code == 200
    for path in (f"/songs/{song_id}", f"/albums/{album_id}", f"/playlists/{playlist_id}"):
        assert client.call("DELETE", path, user=owner).status_code == 200


def test_services_go_on_while_and_after_their_schema_is_migrated_under_them(
    client: Any, upgrade: Any, picture: Callable[..., bytes], mails: Any
) -> None:
    for _ in range(8):  # until statements are prepared, which a schema that changes under them could break
        play(client, picture, mails)
    failures: list[BaseException] = []
    migrated = threading.Event()

    def go_on() -> None:
        try:
            while not migrated.is_set():
                play(client, picture, mails)
        except BaseException as error:
            failures.append(error)

    clients = threading.Thread(target=go_on)
    clients.start()
    try:
        tables = [table for service in WITH_DATABASE for table in upgrade(service)]
    finally:
        migrated.set()
        clients.join()

    assert failures == []
    assert {"users", "songs", "playlists", "export_jobs", "outbox", "inbox"} <= set(tables)
    for _ in range(2):
        play(client, picture, mails)
