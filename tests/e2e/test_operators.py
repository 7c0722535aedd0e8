"""What `openmusic` shows of a running stack, whose settings it finds by itself."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openmusic_local.stack import Stack
from openmusic_operations.system import PROCESSES
from openmusic_testkit.processes import Done
from openmusic_testkit.waiting import wait_until

OPENMUSIC = Path(sys.executable).with_name("openmusic")

Run = Callable[..., Done]


@pytest.fixture
def openmusic(stack: Stack) -> Run:
    """Runs the command as an operator does after `make up`: no setting but the folder of the stack."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}

    def run(*arguments: str, stdin: str = "", **settings: str) -> Done:
        given = {**environment, "OPENMUSIC_DATA": str(stack.folder), **settings}
        done = subprocess.run(
            [OPENMUSIC, *arguments], env=given, input=stdin, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        assert not [name for name, value in secrets_of(stack).items() if value in done.stdout + done.stderr]
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def secrets_of(stack: Stack) -> dict[str, str]:
    secrets: dict[str, str] = json.loads((stack.folder / "secrets.json").read_text())
    return secrets


@contextmanager
def stopped(stack: Stack, process: str) -> Iterator[None]:
    stack.stop_process(process)
    try:
        yield
    finally:
        stack.start_process(process)


def test_the_status_shows_every_process_and_which_of_them_is_down(openmusic: Run, stack: Stack) -> None:
    before = openmusic("status", "--json")
    with stopped(stack, "export-worker"):
        after = openmusic("status", "--json")

    assert (before.code, after.code) == (0, 1)
    assert {each["process"]: each["state"] for each in json.loads(before.out)} == dict.fromkeys(PROCESSES, "ready")
    down = [each["process"] for each in json.loads(after.out) if each["state"] == "down"]
    assert down == ["export-worker"]


def test_the_doctor_finds_nothing_in_a_stack_that_is_well(openmusic: Run) -> None:
    done = openmusic("doctor", "--json")

    found = json.loads(done.out)
    assert [each for each in found if each["state"] == "problem"] == []
    assert done.code == 0
    for subject in ("settings", "redis", "postgresql", "queue export.jobs", "database openmusic_auth", "process media"):
        assert subject in {each["subject"] for each in found}


def test_the_doctor_names_what_is_wrong_and_says_what_to_do(openmusic: Run, stack: Stack) -> None:
    with stopped(stack, "export-worker"):
        done = openmusic("doctor")

    assert done.code == 1
    assert "process export-worker" in done.out
    assert "queue export.jobs" in done.out
    assert "has no consumer" in done.out
    assert "Start export-worker." in done.out


def test_the_doctor_counts_the_connections_of_many_copies(openmusic: Run) -> None:
    (found,) = [
        each
        for each in json.loads(openmusic("doctor", "--json", "--copies", "playlist=50").out)
        if each["subject"] == "postgresql"
    ]

    assert found["state"] == "warning"
    assert "most are of playlist (650)" in found["remedy"]


def test_the_settings_of_each_process_say_where_they_came_from(openmusic: Run) -> None:
    done = openmusic("config", "check", "--json", "--process", "auth", ACCESS_TOKEN_AGE="77")

    settings = {each["setting"]: (each["value"], each["source"]) for each in json.loads(done.out)["settings"]}
    assert settings["ACCESS_TOKEN_AGE"] == ("77", "environment")
    assert settings["PGUSER"] == ("openmusic_auth", "make up")
    assert settings["PASSWORD_ROUNDS"] == ("5", "default")
    assert settings["PGPASSWORD"] == settings["SIGNING_KEY_SECRET"] == ("***", "make up")


def test_a_setting_that_cannot_be_used_is_named_without_its_value(openmusic: Run) -> None:
    done = openmusic("config", "check", "--process", "auth", ACCESS_TOKEN_AGE="soon")

    assert done.code == 1
    assert "auth: ACCESS_TOKEN_AGE" in done.err
    assert "soon" not in done.err


def test_the_version_is_that_of_the_gateway(openmusic: Run, client: Any) -> None:
    version = client.call("GET", "/version").json()["data"]["version"]

    assert json.loads(openmusic("version", "--json").out) == {"version": version}


def test_dead_letters_are_found_without_any_setting(openmusic: Run) -> None:
    done = openmusic("dead-letters", "list", "--json")

    assert done.code == 0
    assert {each["queue"] for each in json.loads(done.out)} >= {"export.jobs", "media.covers"}


def test_a_cover_in_use_is_where_it_belongs(openmusic: Run, client: Any, picture: Any) -> None:
    album_id = client.album()
    assert client.upload(album_id, picture()).status_code == 201

    done = openmusic("covers", "check", "--json")

    assert done.code in {0, 1}, done.err
    assert album_id not in done.out
    assert isinstance(json.loads(done.out), list)


def log_in(client: Any, username: str, password: str = "secret") -> Any:
    return client.call("POST", "/authentications", {"username": username, "password": password})


def test_a_disabled_user_cannot_log_in_nor_refresh_until_enabled(openmusic: Run, client: Any) -> None:
    user = client.register("abuser")

    assert openmusic("users", "disable", user.username).code == 0
    refused = log_in(client, user.username)
    refresh = client.call("PUT", "/authentications", {"refreshToken": user.refresh_token})
    shown = json.loads(openmusic("users", "show", user.id, "--json").out)
    assert openmusic("users", "enable", user.id).code == 0

    assert (refused.status_code, refresh.status_code) == (401, 400)
    assert refused.json() == log_in(client, user.username, "wrong password").json()
    assert (shown["username"], shown["sessions"], shown["disabled_at"] is None) == (user.username, 0, False)
    assert log_in(client, user.username).status_code == 201


def test_a_password_that_an_operator_sets_replaces_the_old_one_and_ends_the_sessions(
    openmusic: Run, client: Any
) -> None:
    user = client.register("forgetful")

    done = openmusic("users", "set-password", user.username, "--stdin", stdin="correct horse\n")

    assert done.code == 0
    assert "correct horse" not in done.out + done.err
    assert log_in(client, user.username).status_code == 401
    assert client.call("PUT", "/authentications", {"refreshToken": user.refresh_token}).status_code == 400
    assert log_in(client, user.username, "correct horse").status_code == 201


def test_a_user_whom_an_operator_deletes_is_gone_everywhere(openmusic: Run, client: Any) -> None:
    user, friend = client.register("unwanted"), client.register("friend")
    playlist_id = client.playlist(user)
    client.share(playlist_id, user, friend)
    assert client.call("GET", f"/users/{user.id}").status_code == 200

    refused = openmusic("users", "delete", user.username)
    done = openmusic("users", "delete", user.username, "--yes")

    assert refused.code == 2
    assert "--yes" in refused.err
    assert done.code == 0
    assert client.call("GET", f"/users/{user.id}").status_code == 404
    wait_until(lambda: client.call("GET", f"/playlists/{playlist_id}/songs", user=friend).status_code == 404)


def test_users_are_listed_by_the_beginning_of_their_names_in_pages(openmusic: Run, client: Any) -> None:
    users = [client.register("listed") for _ in range(3)]

    first = json.loads(openmusic("users", "list", "--username", "listed_", "--limit", "2", "--json").out)
    second = openmusic("users", "list", "--username", "listed_", "--after", first[-1]["id"], "--json")

    assert [each["id"] for each in [*first, *json.loads(second.out)]] == [user.id for user in users]
    assert openmusic("users", "show", "nobody-has-this-name").err == "openmusic: There is no such user\n"


def test_a_new_key_is_published_before_it_signs(openmusic: Run, client: Any) -> None:
    user = client.register("key holder")

    kid = json.loads(openmusic("keys", "rotate", "--json").out)["kid"]

    assert len(kid) == 32
    assert client.call("GET", "/playlists", user=user).status_code == 200
    assert log_in(client, user.username).status_code == 201


def test_an_export_that_waits_is_listed_and_can_be_cancelled(openmusic: Run, stack: Stack, client: Any) -> None:
    user = client.register("exporter")
    playlist_id = client.playlist(user)
    with stopped(stack, "export-worker"):
        payload = {"targetEmail": "somebody@mail.example"}
        export_id = client.created(f"/export/playlists/{playlist_id}", payload, user)["exportId"]
        listed = openmusic("exports", "list", "--status", "pending", "--json")
        shown = json.loads(openmusic("exports", "show", export_id, "--json").out)
        done = openmusic("exports", "cancel", export_id, "--yes")

    assert export_id in {each["id"] for each in json.loads(listed.out)}
    assert "somebody" not in listed.out
    assert (shown["target_email"], shown["requested_by"]) == ("somebody@mail.example", user.id)
    assert done.code == 0
    assert client.call("GET", f"/export/{export_id}", user=user).json()["data"]["export"]["state"] == "cancelled"
    assert openmusic("exports", "retry", export_id).err == "openmusic: The export is cancelled: it is not tried again\n"
