"""``openmusic outbox``: the events that wait to be published."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from openmusic_kit.commands.output import Json, show
from openmusic_kit.database.connections import parameters
from openmusic_kit.settings import DatabaseSettings
from openmusic_operations.config import ProcessNames
from openmusic_operations.errors import DatabaseAway
from openmusic_operations.processes import configured, processes_here


@dataclass(frozen=True)
class Waiting:
    database: str
    event: str
    count: int
    oldest: datetime


def outbox(process: ProcessNames = None, as_json: Json = False) -> None:
    """Shows how many events of each kind wait to be published, and since when.

    Events wait while RabbitMQ is away, or until the consumer that wants them has run once. Nothing is lost.
    """
    databases: dict[str, DatabaseSettings] = {}
    for each in processes_here(process or ()):
        settings = configured(each).settings
        if isinstance(settings, DatabaseSettings):
            databases[settings.pgdatabase] = settings
    found = [waiting for database in databases.values() for waiting in waiting_in(database)]
    show(found, as_json, "No event waits.")


def waiting_in(settings: DatabaseSettings) -> list[Waiting]:
    """Raises DatabaseAway."""
    try:
        with psycopg.connect(**parameters(settings), autocommit=True) as connection:
            if connection.execute("SELECT to_regclass('outbox')").fetchone() == (None,):
                return []
            cursor = connection.cursor(row_factory=class_row(Waiting))
            cursor.execute(
                """
                SELECT %(database)s::text AS database, routing_key AS event, count(*) AS count,
                       min(created_at) AS oldest
                FROM outbox GROUP BY routing_key ORDER BY min(created_at)
                """,
                {"database": settings.pgdatabase},
            )
            return cursor.fetchall()
    except psycopg.Error as error:
        raise DatabaseAway(f"{settings.pgdatabase} does not answer: {type(error).__name__}") from error
