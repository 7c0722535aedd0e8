import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection

from openmusic_kit.database import Database, open_database
from openmusic_kit.settings import DatabaseSettings


async def test_connections_that_postgresql_hung_up_on_are_not_handed_out(
    database: Database, eventually: Callable[..., Awaitable[Any]]
) -> None:
    await asyncio.gather(*(database.ping() for _ in range(20)))
    async with await AsyncConnection.connect(database.conninfo, autocommit=True) as operator:
        await operator.execute("CREATE TEMPORARY VIEW others AS SELECT pid FROM pg_stat_activity "
                               "WHERE usename = current_user AND pid <> pg_backend_pid()")  # fmt: skip
        cursor = await operator.execute("SELECT pg_terminate_backend(pid) FROM others")
        assert cursor.rowcount > 0

        async def gone() -> bool:
            return (await operator.execute("SELECT FROM others")).rowcount == 0

        await eventually(gone)
    await asyncio.gather(*(database.ping() for _ in range(20)))


async def test_a_single_statement_commits_itself(database: Database) -> None:
    async with database.unit_of_work(one_statement=True) as work:
        await work.connection.execute("INSERT INTO inbox (event_id) VALUES ('single')")
    async with database.read() as connection:
        cursor = await connection.execute("SELECT FROM inbox WHERE event_id = 'single'")
        assert cursor.rowcount == 1


async def test_without_a_commit_a_unit_of_work_leaves_nothing(database: Database) -> None:
    async with database.unit_of_work() as work:
        await work.connection.execute("INSERT INTO inbox (event_id) VALUES ('undone')")
    async with database.read() as connection:
        cursor = await connection.execute("SELECT FROM inbox WHERE event_id = 'undone'")
        assert cursor.rowcount == 0


async def test_the_first_request_after_a_restart_of_the_database_is_served(database_settings: DatabaseSettings) -> None:
    """However many connections the pool had, none of which is good any more."""
    async with open_database(database_settings) as database:

        async def use() -> None:
            async with database.read() as connection:
                await connection.execute("SELECT pg_sleep(0.2)")

        await asyncio.gather(*(use() for _ in range(8)))
        async with database.read() as connection:
            ended = await connection.execute(
                """
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE usename = current_user AND pid <> pg_backend_pid()
                """
            )
            assert ended.rowcount > 3

        for _ in range(8):
            await database.ping()
