"""What the doctor says of servers that do not answer, and of numbers that do not fit."""

from pathlib import Path

import pytest
import typer

from openmusic_kit.commands.settings import Given
from openmusic_operations import config
from openmusic_operations.config import report
from openmusic_operations.doctor import cache, databases, mail, queues
from openmusic_operations.doctor.command import _copies
from openmusic_operations.doctor.databases import budget
from openmusic_operations.doctor.findings import clock
from openmusic_operations.processes import Configured, processes_here, settings_class
from openmusic_operations.system import PROCESSES

NOWHERE = {
    **{"pghost": "127.0.0.1", "pgport": "1", "pgpassword": "do-not-show"},
    **{"redis_port": "1", "redis_password": "do-not-show", "smtp_host": "127.0.0.1", "smtp_port": "1"},
    "rabbitmq_server": "amqp://guest:do-not-show@127.0.0.1:1/",
}


def lost(name: str) -> Configured:
    process = PROCESSES[name]
    kind = settings_class(process)
    given = {key: value for key, value in NOWHERE.items() if key in kind.model_fields}
    return Configured(process, kind(_env_file=None, **given))  # type: ignore[arg-type]  # each setting parses its text


async def test_servers_that_do_not_answer_are_problems_with_a_remedy() -> None:
    found = [
        *databases.examine(lost("catalog")),
        *await cache.examine(lost("catalog")),
        *await queues.examine(lost("catalog")),
        *await mail.examine(lost("export-worker")),
    ]

    assert [each.state for each in found] == ["problem"] * 4
    assert all(each.remedy for each in found)
    assert "do-not-show" not in str(found)


def test_connections_that_do_not_suffice_are_a_warning_that_says_how_many_would() -> None:
    assert budget(3, 100, {"auth": 40, "playlist": 40}).state == "ok"

    found = budget(3, 100, {"auth": 40, "playlist": 41})

    assert found.state == "warning"
    assert "max_connections to 101" in found.remedy


def test_the_connections_of_processes_elsewhere_count_with_the_default() -> None:
    wanted = databases.wanted_connections([lost("catalog")], {"catalog": 2, "auth": 3})

    assert (wanted.pop("auth"), wanted.pop("catalog")) == (39, 26)
    assert set(wanted.values()) == {13}


@pytest.mark.parametrize(("seconds", "state"), [(0.1, "ok"), (-1.9, "ok"), (2.5, "warning"), (-3600, "warning")])
def test_a_clock_may_differ_by_two_seconds(seconds: float, state: str) -> None:
    assert clock("redis", seconds).state == state


def test_the_number_of_copies_is_given_for_one_process_or_as_the_highest() -> None:
    assert _copies(["auth=4"]) == {"auth": 4}
    assert _copies(["max", "auth=4"])["playlist"] == PROCESSES["playlist"].max_copies
    with pytest.raises(typer.BadParameter):
        _copies(["nobody=3"])


def test_only_processes_that_are_installed_can_be_named() -> None:
    assert [each.name for each in processes_here(["auth", "media"])] == ["auth", "media"]
    with pytest.raises(typer.BadParameter, match="there is no process nobody here"):
        processes_here(["nobody"])


def test_misspelled_settings_are_named_with_what_they_may_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("ACESS_TOKEN_AGE=60\nHTTP_PROXY=x\n")
    monkeypatch.setattr(config, "environment_of", lambda _: {"PORT": Given("many", ".env")})

    found = report([PROCESSES["auth"]])

    assert found.problems[0].startswith("auth: PORT")
    assert found.problems[1:] == ["ACESS_TOKEN_AGE in .env is no setting: is it ACCESS_TOKEN_AGE?"]
