"""Migrations apply whole or not at all, and can be begun again."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from openmusic_kit.database.migrations import migrate
from openmusic_kit.settings import DatabaseSettings
from openmusic_testkit.waiting import eventually

Eventually = Callable[..., Awaitable[Any]]

FIRST = "CREATE TABLE first (id text PRIMARY KEY);"
SECOND = "CREATE TABLE second (id text PRIMARY KEY);"
SHARED = {"outbox", "inbox"}
MIGRATE = """
import sys
from pathlib import Path
from openmusic_kit.database.migrations import migrate
from openmusic_kit.settings import DatabaseSettings
print(migrate(DatabaseSettings(), Path(sys.argv[1]), "outbox", "inbox"))
"""


@pytest.fixture
def settings(database_factory: Callable[[str], dict[str, Any]]) -> DatabaseSettings:
    """Of an empty database."""
    return DatabaseSettings(**database_factory("migrations"))


@pytest.fixture
def connect(settings: DatabaseSettings) -> Callable[[], psycopg.Connection]:
    conninfo = make_conninfo(
        host=settings.pghost,
        port=settings.pgport,
        user=settings.pguser,
        password=settings.pgpassword.get_secret_value(),
        dbname=settings.pgdatabase,
    )
    return lambda: psycopg.connect(conninfo, autocommit=True)


@pytest.fixture
def tables(connect: Callable[[], psycopg.Connection]) -> Callable[[], set[str]]:
    """The names of all tables but those in which migrations are noted."""

    def names() -> set[str]:
        with connect() as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {name for (name,) in rows if not name.startswith(("_yoyo", "yoyo"))}

    return names


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes migrations, in the order given; gives their folder."""

    def files(*statements: str) -> Path:
        for number, text in enumerate(statements, 1):
            (tmp_path / f"things-{number:04}.sql").write_text(text)
        return tmp_path

    return files


@pytest.fixture
def start(settings: DatabaseSettings) -> Callable[[Path], Awaitable[Process]]:
    """Migrates in a process of its own."""

    async def run(folder: Path) -> Process:
        environment = {
            "PGHOST": settings.pghost,
            "PGPORT": str(settings.pgport),
            "PGUSER": settings.pguser,
            "PGDATABASE": settings.pgdatabase,
            "PGPASSWORD": settings.pgpassword.get_secret_value(),
        }
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, str(folder), env=environment, stdout=PIPE, stderr=PIPE
        )

    return run


@pytest.mark.parametrize(
    "broken",
    [
        SECOND + "CREATE TABLE second (id text);",
        SECOND + "COMMENT ON TABLE second IS 'new'; ALTER TABLE first ADD COLUMN id text;",
        "ALTER TABLE first ADD COLUMN more text; SELECT 1 / 0;",
        SECOND + "no SQL at all;",
        SECOND + "ALTER TABLE second ADD CONSTRAINT c CHECK (id > '') NOT VALID; DROP TABLE nothing;",
    ],
)
def test_the_second_of_two_that_fails_half_way_leaves_the_state_after_the_first(
    settings: DatabaseSettings, write: Any, tables: Any, connect: Any, broken: str
) -> None:
    with pytest.raises(psycopg.Error):
        migrate(settings, write(FIRST, broken))
    assert tables() == {"first"}
    with connect() as connection:
        columns = connection.execute("SELECT * FROM first").description
        assert [column.name for column in columns] == ["id"]

    assert migrate(settings, write(FIRST, SECOND)) == 1
    assert tables() == {"first", "second"}
    assert migrate(settings, write(FIRST, SECOND)) == 0


@pytest.mark.parametrize("kind", ["outbox", "inbox"])
def test_a_shared_one_that_fails_half_way_leaves_the_old_state(
    settings: DatabaseSettings, write: Any, tables: Any, connect: Any, kind: str
) -> None:
    obstacle = {"outbox": "CREATE TABLE outbox (id text)", "inbox": "CREATE TABLE inbox_by_age (id text)"}
    with connect() as connection:
        connection.execute(obstacle[kind])
    before = tables()
    with pytest.raises(psycopg.Error):
        migrate(settings, write(FIRST), kind)
    assert tables() - {"first"} == before

    with connect() as connection:
        connection.execute(f"DROP TABLE {'outbox' if kind == 'outbox' else 'inbox_by_age'}")
    migrate(settings, write(FIRST), kind)
    assert tables() == {"first", kind}


def test_one_that_cannot_be_noted_is_not_applied(
    settings: DatabaseSettings, write: Any, tables: Any, connect: Any
) -> None:
    migrate(settings, write(FIRST))
    with connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE _yoyo_migration IN SHARE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate(settings, write(FIRST, SECOND))
    assert tables() == {"first"}

    assert migrate(settings, write(FIRST, SECOND)) == 1


async def test_a_copy_that_is_killed_in_the_middle_leaves_the_old_state_and_blocks_nobody(
    settings: DatabaseSettings, write: Any, tables: Any, connect: Any, start: Any
) -> None:
    copy = await start(write(FIRST, SECOND + "SELECT pg_sleep(100); CREATE TABLE third (id text);"))

    def in_the_middle() -> bool:
        with connect() as connection:
            query = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
            return connection.execute(query).fetchone() is not None

    await eventually(in_the_middle)
    copy.kill()
    await copy.communicate()
    assert tables() == {"first", *SHARED}

    assert await asyncio.to_thread(migrate, settings, write(FIRST, SECOND), "outbox", "inbox") == 1
    assert tables() == {"first", "second", *SHARED}


async def test_of_several_copies_that_start_at_once_one_applies_it(write: Any, tables: Any, start: Any) -> None:
    folder = write(FIRST, SECOND + "DO $$ BEGIN PERFORM pg_sleep(1); END $$;")
    copies = [await start(folder) for _ in range(3)]

    outputs = [await copy.communicate() for copy in copies]

    assert [copy.returncode for copy in copies] == [0, 0, 0], outputs
    assert sorted(int(out) for out, _ in outputs) == [0, 0, 4]
    assert tables() == {"first", "second", *SHARED}
