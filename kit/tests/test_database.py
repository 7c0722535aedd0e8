import asyncio

from openmusic_kit.database import open_database
from openmusic_kit.settings import DatabaseSettings


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
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename = current_user AND pid <> pg_backend_pid()
                """
            )
            assert ended.rowcount > 3

        for _ in range(8):
            await database.ping()
