"""Users who deleted their account. A service that knows of it stores nothing for them any more.

Their access tokens stay valid until they expire. So each statement that stores something for a user has the condition
``NOT EXISTS (SELECT FROM deleted_users d WHERE d.user_id = ...)``.
"""

from psycopg import sql

from openmusic_kit.database.database import Database


async def add_deleted_user(database: Database, user_id: str, table: str) -> None:
    """After this nothing is stored for the user in ``table``; what was stored before is committed, and can be deleted.

    A lock of the table does not only wait for statements under way. One that comes later waits for it before it takes
    its snapshot, and therefore sees the row.
    """
    async with database.unit_of_work() as work:
        await work.connection.execute(
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(table))
        )
        await work.connection.execute(
            "INSERT INTO deleted_users (user_id) VALUES (%(user_id)s) ON CONFLICT (user_id) DO NOTHING",
            {"user_id": user_id},
        )
        await work.commit()
