"""What is opened is checked, and closed in reverse order, whatever happens meanwhile."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from openmusic_kit.resources import Resources
from openmusic_kit.settings import DatabaseSettings, ServiceSettings
from openmusic_kit.web.health import LOGIN_INTERVAL, LoginCheck
from openmusic_local.pytest_plugin import DatabaseServer
from openmusic_local.servers import postgres


class Settings(DatabaseSettings, ServiceSettings):
    port: int = 1


async def test_the_health_of_a_service_is_that_of_what_it_opened(database_settings: DatabaseSettings) -> None:
    async def fail() -> None:
        raise ConnectionError

    async with Resources(Settings(**database_settings.model_dump())) as resources:
        await resources.database()
        resources.check("mail", fail, required=False)
        report = await resources.health.report()
        assert (report.ready, report.dependencies) == (True, {"postgresql": "up", "mail": "down"})
        resources.check("storage", fail, required=True)
        assert not (await resources.health.report()).ready


async def test_what_was_opened_last_is_closed_first_and_after_an_error_as_well() -> None:
    closed: list[str] = []

    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[str]:
        try:
            yield name
        finally:
            closed.append(name)

    with pytest.raises(ZeroDivisionError):
        async with Resources(ServiceSettings(port=1)) as resources:
            assert [await resources.open(opened(each)) for each in "ab"] == ["a", "b"]
            raise ZeroDivisionError
    assert closed == ["b", "a"]


async def test_settings_that_lack_what_is_opened_are_named() -> None:
    async with Resources(ServiceSettings(port=1)) as resources:
        with pytest.raises(TypeError, match="ServiceSettings is no DatabaseSettings"):
            await resources.database()


async def test_a_changed_password_shows_while_old_connections_still_work(
    database_factory: Callable[[str], dict[str, Any]],
    postgres_server: DatabaseServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openmusic_kit.web.health.LOGIN_INTERVAL", 0.0)
    settings = Settings(**database_factory("login"))

    def change_password(password: str) -> None:
        with postgres.connect(postgres_server.port, postgres_server.password) as connection:
            connection.execute(f"ALTER ROLE {settings.pguser} PASSWORD '{password}'")

    async with Resources(settings) as resources:
        database = await resources.database()
        await database.ping()
        change_password("another")
        report = await resources.health.report()
        assert (report.ready, report.dependencies) == (True, {"postgresql": "down"})
        change_password(settings.pgpassword.get_secret_value())
        assert (await resources.health.report()).dependencies == {"postgresql": "up"}


async def test_a_login_that_succeeded_is_not_repeated_at_once_and_one_that_failed_is() -> None:
    outcomes: list[Exception | None] = [None, ConnectionError(), ConnectionError(), None]
    now = 0.0

    async def log_in() -> None:
        if (error := outcomes.pop(0)) is not None:
            raise error

    check = LoginCheck(log_in, lambda: now)
    await check()
    await check()
    now = LOGIN_INTERVAL
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await check()
    await check()
    await check()
    assert outcomes == []
