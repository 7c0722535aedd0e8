"""What must last does: across a stop, and from a backup."""

import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest
from compose_stack import Compose

PICTURE = Path(__file__).with_name("cover.png").read_bytes()


@pytest.fixture
def answers(http: httpx.Client) -> Any:
    """A user's data of every kind; gives a function that reads all of it anew, with a new login."""
    name = f"user_{secrets.token_hex(6)}"
    login = {"username": name, "password": "secret"}

    def create(path: str, **options: Any) -> dict[str, Any]:
        body: dict[str, Any] = http.post(path, **options).raise_for_status().json()
        return dict(body.get("data") or {})

    def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {create('/authentications', json=login)['accessToken']}"}

    create("/users", json={**login, "fullname": "A User"})
    old = headers()
    album = f"/albums/{create('/albums', json={'name': 'X&Y', 'year': 2005})['albumId']}"
    create(f"{album}/covers", files={"cover": ("cover.png", PICTURE, "image/png")})
    create(f"{album}/likes", headers=old)
    song = {"title": "Talk", "year": 2005, "genre": "Pop", "performer": "Coldplay"}
    song_id = create("/songs", json=song)["songId"]
    playlist = f"/playlists/{create('/playlists', json={'name': 'Lasting'}, headers=old)['playlistId']}"
    create(f"{playlist}/songs", json={"songId": song_id}, headers=old)

    def read() -> list[Any]:
        new = headers()
        paths = [album, f"{album}/likes", f"/songs/{song_id}", "/playlists", f"{playlist}/songs"]
        paths.append(f"{playlist}/activities")
        bodies = [http.get(path, headers=each).raise_for_status().json() for path in paths for each in (new, old)]
        cover = bodies[0]["data"]["album"]["coverUrl"]
        return [*bodies, httpx.get(cover, trust_env=False).raise_for_status().content]

    return read


def test_all_is_there_after_down_and_up(compose: Compose, answers: Any) -> None:
    before = answers()

    compose.run("down")
    compose.up()

    assert answers() == before


def test_a_backup_restores_the_same_answers(compose: Compose, answers: Any, tmp_path: Path) -> None:
    before = answers()
    compose.script("backup", str(tmp_path))

    compose.run("down", "--volumes")
    compose.script("restore", str(tmp_path))
    compose.up()

    assert answers() == before


def test_dead_letters_can_be_sent_again(
    compose: Compose, http: httpx.Client, user: dict[str, str], mails: Any, eventually: Any
) -> None:
    address = f"{secrets.token_hex(4)}@dead.test"
    playlist = http.post("/playlists", json={"name": "Late"}, headers=user).raise_for_status().json()["data"]
    compose.run("stop", "export-worker")
    export = f"/export/playlists/{playlist['playlistId']}"
    http.post(export, json={"targetEmail": address}, headers=user).raise_for_status()
    hasty = ("-e", "EXPORT_RETRY_FOR=0", "-e", "SMTP_HOST=127.0.0.1")  # where nobody takes mails
    name = compose.run("run", "--detach", "--no-deps", *hasty, "export-worker").split()[-1]
    eventually(lambda: "1 dead letter" in compose.openmusic("media-service", "dead-letters", "list", "export.jobs"))
    compose.docker.containers.get(name).remove(force=True)
    compose.run("start", "export-worker")
    eventually(compose.healthy)
    assert mails(address) == set()

    replayed = compose.openmusic("export-service", "dead-letters", "replay", "export.jobs", "--all")

    assert replayed.startswith("1 sent back")
    eventually(lambda: len(mails(address)) == 1)
