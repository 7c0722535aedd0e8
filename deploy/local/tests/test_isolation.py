"""No part can reach what is not its own, and no other machine can reach any."""

import itertools
import stat
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import psycopg
import pytest

from openmusic_operations.system import WITH_DATABASE

LISTENING = "0A"  # the state of a socket, as /proc/net/tcp writes it


def connect(installation: Any, service: str, database: str, password: str | None = None) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=installation.ports["postgres"],
        user=f"openmusic_{service}",
        password=installation.secrets[f"openmusic_{service}"] if password is None else password,
        dbname=f"openmusic_{database}",
        autocommit=True,
    )


@pytest.mark.parametrize("service", WITH_DATABASE)
def test_a_role_reaches_its_own_database(running: Any, service: str) -> None:
    with connect(running, service, service) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (f"openmusic_{service}",)


@pytest.mark.parametrize(("service", "other"), list(itertools.permutations(WITH_DATABASE, 2)))
def test_a_role_cannot_connect_to_the_database_of_another_service(running: Any, service: str, other: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(running, service, other)


@pytest.mark.parametrize("service", WITH_DATABASE)
def test_a_role_can_make_neither_databases_nor_roles(running: Any, service: str) -> None:
    with connect(running, service, service) as connection:
        for statement in ("CREATE DATABASE another", "CREATE ROLE another"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize("service", WITH_DATABASE)
@pytest.mark.parametrize("password", ["", "development-only", "wrong"])
def test_the_database_demands_the_right_password(running: Any, service: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(running, service, service, password)


def addresses_of(pids: set[int]) -> Iterator[tuple[IPv4Address | IPv6Address, int]]:
    """Where these processes listen."""
    inodes = {inode for pid in pids for inode in sockets_of(pid)}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                host, port = fields[1].split(":")
                yield decoded(host), int(port, 16)


def sockets_of(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink()) if descriptor.is_symlink() else ""
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def decoded(host: str) -> IPv4Address | IPv6Address:
    """From hexadecimal, in words of four bytes of which the last comes first."""
    words = [bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8)]
    return ip_address(b"".join(words))


def test_every_process_listens_for_this_machine_only(running: Any) -> None:
    listening = set(addresses_of(running.pids))
    assert {port for _, port in listening} >= set(running.ports.values())
    assert [address for address, _ in listening if not address.is_loopback] == []


def test_every_process_listens_on_ports_of_this_installation_only(running: Any) -> None:
    """A port that is the same in every installation would make the second one fail."""
    fixed = {port for _, port in addresses_of(running.pids) if port < 32768}
    assert fixed == set(running.ports.values())


def test_only_the_owner_can_read_the_files_that_hold_secrets(running: Any) -> None:
    secrets = set(running.secrets.values()) | {(running.folder / "supervisord.password").read_text()}
    files = [path for path in running.folder.rglob("*") if path.is_file() and "data" not in path.parts]
    holding = {path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)}
    assert {path.name for path in holding} >= {"secrets.json", "supervisord.conf", "catalog.sh", "media.sh"}
    assert [path for path in holding if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_process_is_given_no_secret_that_it_does_not_need(running: Any) -> None:
    def secrets_of(part: str) -> set[str]:
        values = "\n".join(running.environment(part).values())
        return {name for name, value in running.secrets.items() if value in values}

    common = {"service_credential"}
    assert secrets_of("gateway") == common
    assert secrets_of("auth") == common | {"openmusic_auth", "rabbitmq", "signing_keys"}
    assert secrets_of("catalog") == common | {"openmusic_catalog", "rabbitmq"}
    assert secrets_of("playlist") == common | {"openmusic_playlist", "rabbitmq"}
    assert secrets_of("media") == common | {"objectstore", "rabbitmq"}
    assert secrets_of("export") == common | {"openmusic_export", "rabbitmq"}
    assert secrets_of("export-worker") == common | {"openmusic_export", "rabbitmq"}
