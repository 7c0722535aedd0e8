"""PostgreSQL. It refuses to run as root, so root hands it to an ordinary user."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from openmusic_local.errors import LocalError
from openmusic_local.program import Program

ADMIN = "openmusic_admin"


def find_binaries() -> Path | None:
    """The folder of the newest PostgreSQL programs; Debian keeps them off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1].parent
    found = shutil.which("postgres")
    return Path(found).parent if found else None


def prepare(folder: Path, port: int, password: str) -> Program:
    binaries = find_binaries()
    if binaries is None:
        raise LocalError("PostgreSQL is not installed: apt-get install postgresql")
    prefix = _as_ordinary_user(folder)
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(binaries, folder, data, password, prefix)
    command = [
        *prefix,
        str(binaries / "postgres"),
        *("-D", str(data), "-p", str(port)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
        *("-c", "max_connections=200", "-c", "logging_collector=off"),
    ]
    return Program("postgres", command, folder, lambda: _answers(port, password), stop_signal="INT", stop_seconds=60)


def _initialise(binaries: Path, folder: Path, data: Path, password: str, prefix: list[str]) -> None:
    shutil.rmtree(data, ignore_errors=True)  # left by a start that was interrupted
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if prefix:
        _give_away(folder)
    command = [*prefix, str(binaries / "initdb"), "-D", str(data), "-U", ADMIN, "--auth=scram-sha-256"]
    command += [f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    password_file.unlink()
    if done.returncode:
        raise LocalError(f"PostgreSQL could not be initialised:\n{done.stdout}{done.stderr}")


def _ordinary_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LocalError("PostgreSQL needs an ordinary user (postgres or nobody) when started by root")


def _give_away(folder: Path) -> None:
    user = _ordinary_user()
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)


def _as_ordinary_user(folder: Path) -> list[str]:
    """What to put before a command so that root does not run it; empty for anyone else.

    Where that user may not walk to the data folder (it lies below root's home, say), the process keeps the one
    capability that lets it.
    """
    if os.geteuid() != 0:
        return []
    user = _ordinary_user()
    prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    reachable = subprocess.run([*prefix, "test", "-x", str(folder.parent)], check=False).returncode == 0
    if not reachable:
        prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return prefix


def _answers(port: int, password: str) -> bool:
    try:
        connect(port, password).close()
    except psycopg.OperationalError:
        return False
    return True


def connect(port: int, password: str) -> psycopg.Connection:
    """As the administrator, in autocommit mode."""
    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        user=ADMIN,
        password=password,
        dbname="postgres",
        autocommit=True,
        connect_timeout=3,
    )


def ensure_database(connection: psycopg.Connection, name: str, password: str) -> None:
    """A database and a role of the same name; nobody else may connect to it, and it to no other."""
    role, secret = sql.Identifier(name), sql.Literal(password)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, secret))
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {}, postgres, template1 FROM PUBLIC").format(role))
