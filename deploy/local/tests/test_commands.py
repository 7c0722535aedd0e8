"""What the commands say and do when there is little to do, or nothing."""

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import openmusic_local
from openmusic_local.settings import check_names
from openmusic_local.stack import SERVERS, repository
from openmusic_operations.system import PROCESSES

PARTS = {*SERVERS, *PROCESSES}


@contextmanager
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield str(other.getsockname()[1])


def test_a_second_up_says_that_all_runs_already_and_changes_nothing(running: Any) -> None:
    before = running.pids
    done = running.run("up")
    assert done.returncode == 0
    assert "running already; nothing was changed" in done.stdout
    assert running.pids >= before  # PostgreSQL may begin or end helpers of its own


def test_a_second_up_names_the_port_that_is_in_use_and_not_the_one_that_was_set_since(running: Any) -> None:
    done = running.run("up", PORT="5999")
    assert f"http://127.0.0.1:{running.settings['PORT']}" in done.stdout
    assert "5999" not in done.stdout


def test_status_lists_every_part(running: Any) -> None:
    done = running.run("status")
    assert done.returncode == 0
    states = dict(line.split()[:2] for line in done.stdout.splitlines()[:-1])
    assert states == dict.fromkeys(PARTS, "running")


def test_logs_of_an_unknown_part_name_the_known_ones(running: Any) -> None:
    done = running.run("logs", "--part", "catalogue")
    assert done.returncode == 1
    assert "There is no part catalogue" in done.stderr
    assert all(part in done.stderr for part in PARTS)


@pytest.mark.parametrize("setting", ["PORT", "MAIL_PORT"])
def test_up_says_which_setting_to_change_when_a_port_is_taken(idle: Any, setting: str) -> None:
    with taken_port() as port:
        done = idle.run("up", **{setting: port})
    assert done.returncode == 1
    assert f"Port {port} is in use by another program: set {setting} to another one" in done.stderr
    assert idle.supervisor is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PORT": "5999", "MAIL_PORT": "5999"}, "PORT and MAIL_PORT are the same"),
        ({"PORT": "http"}, "PORT must be a port, from 1 to 65535: http"),
        ({"MAIL_PORT": "65536"}, "MAIL_PORT must be a port, from 1 to 65535: 65536"),
        ({"HOST": "192.0.2.1"}, "set HOST or PORT to another one"),
        ({"MAIL_PAGE_HOST": "192.0.2.1"}, "set MAIL_PAGE_HOST or MAIL_PORT to another one"),
    ],
)
def test_up_says_which_setting_to_change_when_it_is_unusable(idle: Any, settings: dict[str, str], said: str) -> None:
    done = idle.run("up", **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert idle.supervisor is None


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("down", 0, "OpenMusic is not running."),
        ("status", 1, "OpenMusic is not running."),
        ("logs", 1, "There are no logs"),
        ("reset", 0, "There is no data"),
    ],
)
def test_a_command_says_that_there_is_nothing(idle: Any, command: str, code: int, said: str) -> None:
    done = idle.run(command)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not idle.folder.exists()


@pytest.mark.parametrize("command", ["up", "reset"])
def test_a_folder_that_holds_something_else_is_left_alone(idle: Any, command: str) -> None:
    idle.folder.mkdir()
    (idle.folder / "diary.txt").write_text("Dear diary")
    done = idle.run(command)
    assert [path.name for path in idle.folder.iterdir()] == ["diary.txt"]
    assert str(idle.folder) in done.stdout + done.stderr


def test_the_settings_are_read_from_the_file_env_and_the_environment_goes_before(idle: Any, tmp_path: Path) -> None:
    found = installation_with("PORT=none-from-file\nMAIL_PORT=none-from-file\n", tmp_path)
    del idle.settings["PORT"]
    done = idle.run("up", **found, MAIL_PORT="1080")
    assert "PORT must be a port, from 1 to 65535: none-from-file" in done.stderr
    assert "MAIL_PORT must" not in done.stderr


def installation_with(settings: str, folder: Path) -> dict[str, str]:
    """A copy of the package in a repository of its own, with this ``.env``; gives how to run it."""
    source = folder / "deploy" / "local" / "src"
    shutil.copytree(Path(openmusic_local.__file__).parent, source / "openmusic_local")
    (folder / ".env").write_text(settings)
    return {"PYTHONPATH": str(source)}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("ACESS_TOKEN_AGE=60", "ACESS_TOKEN_AGE is no setting: is it ACCESS_TOKEN_AGE?"),
        ("SMTP_PASS=of the mail server", "SMTP_PASS is no setting: is it SMTP_PASSWORD?"),
        ("pg_pool_max=5", "pg_pool_max is no setting: is it PG_POOL_MAX?"),
        ("ACCESS_TOKEN_AGE=soon", "the settings are not usable: ACCESS_TOKEN_AGE Input should be a valid integer"),
        ("TRUSTED_PROXIES=proxy", "TRUSTED_PROXIES Value error"),
        ("EXPORT_REPEAT_AFTER=60", "EXPORT_REPEAT_AFTER must be longer than SMTP_REPLY_TIMEOUT"),
        ("LOG_LEVEL=LOUD\nSMTP_SECURITY=strong", "SMTP_SECURITY Input should be"),
    ],
)
def test_a_setting_that_is_wrong_is_named_before_any_server_starts(
    idle: Any, tmp_path: Path, settings: str, said: str
) -> None:
    done = idle.run("up", **installation_with(settings, tmp_path))
    assert done.returncode == 1
    assert said in done.stderr
    assert "of the mail server" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "starting" not in done.stdout
    assert idle.supervisor is None


def test_a_name_that_resembles_no_setting_is_mentioned_and_ignored(idle: Any, tmp_path: Path) -> None:
    with taken_port() as port:  # so that nothing starts
        found = installation_with(f"COMPOSE_PROJECT_NAME=music\nMAIL_PORT={port}", tmp_path)
        del idle.settings["MAIL_PORT"]
        done = idle.run("up", **found)
    assert "COMPOSE_PROJECT_NAME in .env is no setting of OpenMusic; it has no effect." in done.stdout
    assert f"Port {port} is in use" in done.stderr


def test_every_setting_of_the_example_may_be_set() -> None:
    named = re.findall(r"^#([A-Z0-9_]+)=", (repository() / ".env.example").read_text(), re.MULTILINE)
    assert check_names(named) == []


def test_run_gives_a_program_the_settings_of_a_process(running: Any) -> None:
    done = running.run("run", "export-worker", "openmusic", "dead-letters", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{queue}: no dead letters"
        for queue in ("catalog.users", "export.jobs", "export.users", "media.covers", "playlist.read_copies")
    ]


def test_run_needs_a_stack_that_runs_and_a_program_that_is_there(idle: Any, running: Any) -> None:
    assert "OpenMusic is not running." in idle.run("run", "playlist", "openmusic").stderr
    done = running.run("run", "playlist", "no-such-program")
    assert done.returncode == 1
    assert done.stderr == "openmusic-local: no-such-program: No such file or directory\n"
