"""What is opened is checked, and closed in reverse order, whatever happens meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from openmusic_kit.resources import Resources
from openmusic_kit.settings import DatabaseSettings, ServiceSettings


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
