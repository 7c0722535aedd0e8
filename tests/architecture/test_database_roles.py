"""A service's role reaches its own database and nothing else, whichever way it was made."""

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from openmusic_local.servers import postgres

ROOT = Path(__file__).parents[2]


def by_make_up(server: Any, name: str, password: str) -> None:
    with postgres.connect(server.port, server.password) as connection:
        postgres.ensure_database(connection, name, password)


def by_the_containers(server: Any, name: str, password: str) -> None:
    """The statements of deploy/containers/make_databases.sh, by psql as there."""
    script = (ROOT / "deploy" / "containers" / "make_databases.sh").read_text()
    statements = script.partition("<<'SQL'\n")[2].partition("SQL\n")[0]
    binaries = postgres.find_binaries()
    assert binaries is not None
    subprocess.run(
        [
            binaries / "psql",
            *("--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1"),
            *("--set", f"name={name}", "--set", f"password={password}"),
            *("--host", "127.0.0.1", "--port", str(server.port), "--username", postgres.ADMIN, "postgres"),
        ],
        input=statements,
        env={"PGPASSWORD": server.password},
        text=True,
        check=True,
        timeout=60,
    )


@pytest.fixture(scope="module", params=[by_make_up, by_the_containers], ids=lambda make: make.__name__)
def roles(request: pytest.FixtureRequest, postgres_server: Any) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Two roles with their databases, in which a table lies, and the password of each."""
    passwords = {f"test_role_{secrets.token_hex(4)}": secrets.token_hex(8) for _ in range(2)}
    for name, password in passwords.items():
        for _ in range(2):  # as at every start
            request.param(postgres_server, name, password)
        with _connect(postgres_server.port, name, password, name) as connection:
            connection.execute("CREATE TABLE kept (it text)")
    own, other = passwords
    yield own, other, passwords
    with postgres.connect(postgres_server.port, postgres_server.password) as connection:
        for name in passwords:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _connect(port: int, role: str, password: str, database: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host="127.0.0.1", port=port, user=role, password=password, dbname=database, autocommit=True, connect_timeout=5
    )


def test_a_role_works_in_its_own_database(roles: Any, postgres_server: Any) -> None:
    own, _, passwords = roles
    with _connect(postgres_server.port, own, passwords[own], own) as connection:
        connection.execute("INSERT INTO kept VALUES ('x')")
        assert connection.execute("SELECT it FROM kept").fetchone() == ("x",)


@pytest.mark.parametrize("of", ["other", "postgres", "template1"])
def test_a_role_cannot_connect_to_another_database(roles: Any, postgres_server: Any, of: str) -> None:
    own, other, passwords = roles
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        _connect(postgres_server.port, own, passwords[own], other if of == "other" else of)


def test_a_role_cannot_log_in_as_another(roles: Any, postgres_server: Any) -> None:
    own, other, passwords = roles
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _connect(postgres_server.port, other, passwords[own], other)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "ALTER ROLE {own} SUPERUSER",
        "ALTER ROLE {other} PASSWORD 'known'",
        "SET ROLE {other}",
        "SET ROLE openmusic_admin",
        "GRANT {other} TO {own}",
        "DROP DATABASE {other}",
        "ALTER DATABASE {other} OWNER TO {own}",
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY kept TO PROGRAM 'cat'",
        "COPY kept FROM '/etc/passwd'",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'openmusic_admin'",
        "ALTER SYSTEM SET fsync = off",
        "CREATE EXTENSION dblink",
    ],
)
def test_a_role_can_do_nothing_to_others_or_to_the_server(roles: Any, postgres_server: Any, statement: str) -> None:
    own, other, passwords = roles
    with (
        postgres.connect(postgres_server.port, postgres_server.password),  # so that there is one to end
        _connect(postgres_server.port, own, passwords[own], own) as connection,
        pytest.raises(psycopg.Error) as error,
    ):
        connection.execute(statement.format(own=own, other=other).encode())
    assert error.value.sqlstate in {"42501", "0A000", "58P01"}  # not allowed; or there is no such extension here


def test_a_role_has_no_attribute_that_it_does_not_need(roles: Any, postgres_server: Any) -> None:
    own, _, _ = roles
    with postgres.connect(postgres_server.port, postgres_server.password) as connection:
        found = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, "
            "(SELECT count(*) FROM pg_auth_members WHERE member = pg_roles.oid) FROM pg_roles WHERE rolname = %s",
            (own,),
        ).fetchone()
    assert found == (False, False, False, False, False, 0)
