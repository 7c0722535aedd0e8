"""A backup taken while everybody works restores elsewhere; what cannot be restored changes nothing."""

import json
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from compose_stack import GATEWAYS, PICTURE, PROJECT, RECOVERY, ROOT, Compose
from load import Crowd

from openmusic_testkit.waiting import wait_until

PENDING = 3  # exports
DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit": lambda folder: _flip(folder / "catalog.dump"),
    "an end": lambda folder: _cut(folder / "covers.tar"),
    "a file": lambda folder: (folder / "auth.dump").unlink(),
    "the secrets": lambda folder: _flip(folder / "secrets.json"),
    "the manifest": lambda folder: _cut(folder / "MANIFEST"),
    "another format": lambda folder: (folder / "MANIFEST").write_text("OpenMusic backup, format 2\n"),
}


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@dataclass
class Taken:
    folder: Path
    before: list[Any]
    """What one user was answered."""
    playlists: dict[str, list[str]]
    """Of those who worked meanwhile: the songs that were acknowledged before it began."""
    albums: list[str]
    """Those that got covers meanwhile."""
    exports_to: str
    """The address of exports that were accepted before and not sent yet."""


@contextmanager
def uploads(http: httpx.Client) -> Iterator[list[str]]:
    """New albums with covers, one after the other; gives their ids."""
    stop, albums = threading.Event(), list[str]()

    def upload() -> None:
        while not stop.is_set():
            answer = http.post("/albums", json={"name": "Ghost Stories", "year": 2014}).raise_for_status()
            album = answer.json()["data"]["albumId"]
            http.post(f"/albums/{album}/covers", files={"cover": ("a.png", PICTURE, "image/png")}).raise_for_status()
            albums.append(album)

    thread = threading.Thread(target=upload)
    thread.start()
    yield albums
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def taken(
    compose: Compose,
    http: httpx.Client,
    user: dict[str, str],
    make_answers: Any,
    tmp_path_factory: Any,
) -> tuple[Taken, Any]:
    """A backup of a stack under load."""
    answers = make_answers()
    folder = tmp_path_factory.mktemp("backups") / "first"
    before = answers()
    compose.run("stop", "export-worker")
    exports_to = request_exports(http, user)
    with uploads(http) as albums, Crowd.of(4, GATEWAYS, user) as crowd:
        crowd.goes_on()
        promised = {each.playlist_id: list(each.acknowledged) for each in crowd.users}
        compose.script("backup", str(folder))
        crowd.goes_on(1)
    assert crowd.complaints == []
    compose.run("start", "export-worker")
    return Taken(folder, before, promised, albums, exports_to), answers


def request_exports(http: httpx.Client, user: dict[str, str]) -> str:
    """Requests PENDING exports to a new address, which it returns."""
    address = f"restored-{secrets.token_hex(6)}@mail.test"
    for number in range(PENDING):
        created = http.post("/playlists", json={"name": f"Pending {number}"}, headers=user).raise_for_status().json()
        path = f"/export/playlists/{created['data']['playlistId']}"
        http.post(path, json={"targetEmail": address}, headers=user).raise_for_status()
    return address


def copy_of(taken: Taken, folder: Path) -> Path:
    subprocess.run(["cp", "-r", taken.folder, folder], check=True)
    return folder


def test_a_backup_says_what_it_is_and_is_nobody_elses(compose: Compose, taken: tuple[Taken, Any]) -> None:
    folder = taken[0].folder
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
    assert [path.name for path in folder.parent.iterdir()] == ["first"]
    said = compose.script("verify-backup", str(folder))
    assert "is whole: OpenMusic backup, format 1; made 20" in said
    assert "version 3.0.0" in said


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused_and_changes_nothing(
    compose: Compose, taken: tuple[Taken, Any], tmp_path: Path, damage: str
) -> None:
    folder, before = copy_of(taken[0], tmp_path / "damaged"), compose.state()
    DAMAGES[damage](folder)
    for script, arguments in (("verify-backup", ()), ("restore", ("--replace-everything",))):
        said = compose.failing_script(script, str(folder), *arguments)
        assert str(folder) in said, said
    assert compose.state() == before


def test_a_restore_over_data_is_refused_and_changes_nothing(
    compose: Compose, taken: tuple[Taken, Any], tmp_path: Path
) -> None:
    folder = copy_of(taken[0], tmp_path / "other")
    others = json.dumps(dict.fromkeys(json.loads((folder / "secrets.json").read_text()), "another"))
    (folder / "secrets.json").write_text(others)
    describe_anew(folder)
    state, kept = compose.state(), compose.secrets()

    said = compose.failing_script("restore", str(folder))

    assert f"{PROJECT} has data, and nothing was changed" in said
    assert (compose.state(), compose.secrets()) == (state, kept)


def describe_anew(folder: Path) -> None:
    """So that the manifest agrees with what was changed on purpose."""
    library = ROOT / "deploy" / "containers" / "backup_files.sh"
    script = f'. {library}; (sed -n 1,3p "$0"/MANIFEST; for file in $FILES; do describe "$0" $file; done) > "$0"/new'
    subprocess.run(["sh", "-c", script, folder], check=True)
    (folder / "new").replace(folder / "MANIFEST")


def test_a_backup_that_cannot_be_restored_replaces_nothing(
    compose: Compose, taken: tuple[Taken, Any], tmp_path: Path
) -> None:
    folder, state, kept = copy_of(taken[0], tmp_path / "useless"), compose.state(), compose.secrets()
    _flip(folder / "auth.dump")
    _cut(folder / "auth.dump")
    describe_anew(folder)

    said = compose.failing_script("restore", str(folder), "--replace-everything")

    assert f"nothing of {PROJECT} was changed" in said
    assert (compose.state(), compose.secrets()) == (state, kept)
    assert [each.name for each in compose.docker.volumes.list() if "-trial_" in each.name] == []


def test_a_backup_that_fails_leaves_nothing(compose: Compose, tmp_path: Path) -> None:
    compose.run("stop", "postgres")
    compose.failing_script("backup", str(tmp_path / "backups" / "failed"))
    assert list((tmp_path / "backups").iterdir()) == []
    compose.run("start", "postgres")
    wait_until(compose.healthy, RECOVERY)


def test_a_backup_wants_a_folder_of_its_own(compose: Compose, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    assert "exists already" in compose.failing_script("backup", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_backup_under_load_restores_elsewhere_and_in_place_of_other_data(
    compose: Compose,
    http: httpx.Client,
    user: dict[str, str],
    taken: tuple[Taken, Any],
    arrived: Any,
) -> None:
    backup, answers = taken
    wait_until(lambda: len(arrived(backup.exports_to)) == PENDING, RECOVERY)  # those of the installation that goes

    said = compose._call("sh", "-c", f"{ROOT}/deploy/containers/restore {backup.folder} --replace-everything 2>&1")
    compose.up()

    assert f"{PROJECT}-trial has the data of the backup" in said  # elsewhere, first
    assert [each.name for each in compose.docker.volumes.list() if "-trial_" in each.name] == []
    assert json.loads(compose.secrets()) == json.loads((backup.folder / "secrets.json").read_text())
    wait_until(lambda: len(arrived(backup.exports_to)) >= PENDING, 90)  # announced again within a minute
    assert answers() == backup.before
    for playlist, promised in backup.playlists.items():
        found = http.get(f"/playlists/{playlist}/songs", headers=user).raise_for_status().json()
        songs = [song["id"] for song in found["data"]["playlist"]["songs"]]
        assert songs[: len(promised)] == promised
        assert {http.get(f"/songs/{song}").status_code for song in songs} <= {200}
    saved = [answer for album in backup.albums if (answer := http.get(f"/albums/{album}")).status_code == 200]
    covers = [answer.json()["data"]["album"]["coverUrl"] for answer in saved]
    assert len([cover for cover in covers if cover]) > 3
    assert {httpx.get(cover, trust_env=False).status_code for cover in covers if cover} == {200}
    assert len(arrived(backup.exports_to)) == len(set(arrived(backup.exports_to))) == PENDING
