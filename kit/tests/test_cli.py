import asyncio
import logging
from typing import Any

import pytest

from openmusic_kit import cli
from openmusic_kit.cli import Command, run_cli, serve
from openmusic_kit.errors import NotFound
from openmusic_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    port: int = 1


@pytest.fixture(autouse=True)
def _logging_stays_as_it_was() -> Any:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def command_line(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["openmusic-thing", *arguments])


def test_a_command_of_several_words_gets_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[ServiceSettings] = []
    command_line(monkeypatch, "rebuild", "copies")
    monkeypatch.setenv("PORT", "1234")
    run_cli(
        "thing",
        {
            "rebuild copies": Command(Settings, got.append),
            "rebuild": Command(Settings, lambda _: pytest.fail("not this one")),
        },
    )
    assert [settings.port for settings in got] == [1234]


def test_a_command_may_be_a_coroutine_function_with_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[type[ServiceSettings]] = []

    class WorkerSettings(Settings):
        pass

    async def work(settings: WorkerSettings) -> None:
        await asyncio.sleep(0)
        got.append(type(settings))

    command_line(monkeypatch, "work")
    run_cli("thing", {"serve": Command(Settings, pytest.fail), "work": Command(WorkerSettings, work)})
    assert got == [WorkerSettings]


def test_an_unknown_command_is_told_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command_line(monkeypatch, "bake")
    with pytest.raises(SystemExit) as ended:
        run_cli("thing", {"serve": Command(Settings, pytest.fail), "migrate": Command(Settings, pytest.fail)})
    assert ended.value.code == 2
    assert "there is no bake; there are serve, migrate" in capsys.readouterr().err


def test_settings_that_are_wrong_are_named_and_their_values_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    command_line(monkeypatch, "serve")
    monkeypatch.setenv("PORT", "hunter2")
    with pytest.raises(SystemExit) as ended:
        run_cli("thing", {"serve": Command(Settings, pytest.fail)})
    message = str(ended.value.code)
    assert message.startswith("openmusic-thing: the settings are not usable: PORT ")
    assert "hunter2" not in message


def test_a_known_error_ends_a_command_with_its_message_and_another_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> Any:
        def command(_: ServiceSettings) -> None:
            raise error

        return command

    command_line(monkeypatch, "serve")
    with pytest.raises(SystemExit) as ended:
        run_cli("thing", {"serve": Command(Settings, fail(NotFound("no such thing")))})
    assert ended.value.code == "openmusic-thing: no such thing"
    with pytest.raises(ZeroDivisionError):
        run_cli("thing", {"serve": Command(Settings, fail(ZeroDivisionError()))})


@pytest.mark.parametrize(("command", "name"), [("serve", "thing"), ("rebuild copies", "thing-rebuild-copies")])
def test_logs_name_the_service_and_what_it_does_besides_serving(
    monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    named: list[tuple[str, str]] = []
    monkeypatch.setattr(cli, "configure_logging", lambda *given: named.append(given))
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    command_line(monkeypatch, *command.split())
    run_cli("thing", {command: Command(Settings, lambda _: None)})
    assert named == [(name, "WARNING")]


def test_a_server_shows_nothing_of_itself_trusts_no_proxy_and_keeps_connections_longer_than_the_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **options: given.update(options, app=app))
    monkeypatch.setattr(cli, "bounded", lambda size, body_timeout, announced: (size, body_timeout, announced))
    settings = ServiceSettings(port=1234, shutdown_grace=7)
    serve("app", settings)
    assert (given["app"], given["host"], given["port"]) == ("app", settings.host, 1234)
    assert given["http"] == (2 * settings.header_limit, 2 * settings.body_timeout, False)
    assert (given["timeout_keep_alive"], given["timeout_graceful_shutdown"]) == (75, 7)
    assert not any(given[name] for name in ("access_log", "server_header", "proxy_headers", "log_config"))
    assert (given["ws"], given["lifespan"], given["loop"]) == ("none", "on", "uvloop")
