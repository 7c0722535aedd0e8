"""PostgreSQL: whether each database answers, has the schema of this release, and publishes its events."""

import time
from collections.abc import Iterator
from importlib import resources
from typing import LiteralString

import psycopg
from psycopg.rows import TupleRow

from openmusic_kit.database.connections import parameters
from openmusic_kit.settings import DatabaseSettings
from openmusic_operations.doctor.findings import Finding, clock, ok, problem, warning
from openmusic_operations.processes import Configured
from openmusic_operations.system import PROCESSES, Process

BESIDES_POOL = 3  # connections of a copy: two that listen, and a new one for the check of readiness
RESERVED = 20  # connections for migrations, backups and administrators
OLD_EVENT = 60.0  # seconds that an event may wait in the outbox
TIMEOUT = "10s"
CONNECTIONS: LiteralString = """
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
           current_setting('max_connections')::int
"""


def examine(each: Configured) -> list[Finding]:
    settings = _settings(each)
    subject = f"database {settings.pgdatabase}"
    try:
        with _connected(settings) as connection:
            return [*_examine(connection, subject, each.process)]
    except psycopg.Error as error:
        return [
            problem(
                subject,
                f"does not answer: {str(error).strip().splitlines()[-1]}",
                "Is PostgreSQL up, and are PGHOST, PGPORT, PGUSER and PGPASSWORD those of this database?",
            )
        ]


def examine_connections(each: Configured, wanted: dict[str, int]) -> list[Finding]:
    """``wanted`` is what the copies of each process may open. Silent where the database does not answer."""
    try:
        with _connected(_settings(each)) as connection:
            used, allowed = _row(connection, CONNECTIONS)
            return [budget(used, allowed, wanted)]
    except psycopg.Error:
        return []


def wanted_connections(processes: list[Configured], copies: dict[str, int]) -> dict[str, int]:
    """Of all copies of each process; of a process whose settings are not known here, by the default."""
    pools = {each.process.name: _settings(each).pg_pool_max for each in processes}
    default = DatabaseSettings.model_fields["pg_pool_max"].default
    return {
        name: copies.get(name, 1) * (pools.get(name, default) + BESIDES_POOL)
        for name, process in PROCESSES.items()
        if process.has_database
    }


def _settings(each: Configured) -> DatabaseSettings:
    assert isinstance(each.settings, DatabaseSettings), "of a process with a database"  # noqa: S101 - for the types
    return each.settings


def _connected(settings: DatabaseSettings) -> psycopg.Connection[TupleRow]:
    return psycopg.connect(**parameters(settings), autocommit=True, options=f"-c statement_timeout={TIMEOUT}")


def _examine(connection: psycopg.Connection[TupleRow], subject: str, process: Process) -> Iterator[Finding]:
    before = time.time()
    (now,) = _row(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
    yield clock(subject, now - (before + time.time()) / 2)
    yield _schema(connection, subject, process)
    if (outbox := _outbox(connection, subject)) is not None:
        yield outbox


def _schema(connection: psycopg.Connection[TupleRow], subject: str, process: Process) -> Finding:
    files = resources.files(process.package).joinpath("migrations").iterdir()
    wanted = {file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql")}
    remedy = f"Run `openmusic-{process.service} migrate`."
    if _row(connection, "SELECT to_regclass('_yoyo_migration')") == (None,):
        return problem(subject, "has no tables", remedy)
    applied = {name for (name,) in connection.execute("SELECT migration_id FROM _yoyo_migration")}
    if missing := sorted(wanted - applied):
        return problem(subject, f"misses {len(missing)} migrations, from {missing[0]} on", remedy)
    return ok(subject, f"has all {len(wanted)} migrations")


def _outbox(connection: psycopg.Connection[TupleRow], subject: str) -> Finding | None:
    if _row(connection, "SELECT to_regclass('outbox')") == (None,):
        return None
    count, age, key = _row(
        connection,
        """
        SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8,
               mode() WITHIN GROUP (ORDER BY routing_key)
        FROM outbox
        """,
    )
    if age <= OLD_EVENT:
        return ok(subject, f"{count} events wait to be published")
    return warning(
        subject,
        f"{count} events wait to be published, for up to {age:.0f} s; most of them {key}",
        "Is RabbitMQ up, and has each consumer run once? See docs/operations.md, Events that no queue takes.",
    )


def budget(used: int, allowed: int, wanted: dict[str, int]) -> Finding:
    """``wanted`` is what the copies of each process may open."""
    total = sum(wanted.values()) + RESERVED
    finding = f"{used} of {allowed} connections are open; the processes may open {total - RESERVED}"
    if total <= allowed:
        return ok("postgresql", finding)
    most = max(wanted, key=lambda name: wanted[name])
    return warning(
        "postgresql",
        f"{finding}, and {RESERVED} are needed for migrations, backups and administrators",
        f"Raise max_connections to {total}, or lower PG_POOL_MAX or the copies; most are of {most} ({wanted[most]}).",
    )


def _row(connection: psycopg.Connection[TupleRow], statement: LiteralString) -> TupleRow:
    row = connection.execute(statement).fetchone()
    assert row is not None, "each of the statements has a row"  # noqa: S101 - for the types
    return row
