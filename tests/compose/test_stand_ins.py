"""The stand-ins are what the official images' Dockerfiles say, and no kinder: else compose.yaml passes here only."""

from dataclasses import dataclass
from typing import Any

import pytest
from compose_stack import RECOVERY, Compose

from openmusic_testkit.waiting import wait_until

POSTGRES, REDIS, RABBITMQ, MAILDEV = "postgres:17", "redis:8.10", "rabbitmq:4.3-management", "maildev/maildev:3.0.0"
HAPROXY = "haproxy:3.0"
MINIO = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"


@dataclass
class Contract:
    entry: list[str]
    command: list[str] | None
    ports: set[int]
    volumes: set[str]
    owner: tuple[str, int] | None = None
    """A user that exists, and its number."""
    user: str = ""
    """Who it runs as unless told; nobody in particular is root."""
    tools: tuple[str, ...] = ("sh",)
    lacking: tuple[str, ...] = ()


CONTRACTS = {
    POSTGRES: Contract(
        ["docker-entrypoint.sh"],
        ["postgres"],
        {5432},
        {"/var/lib/postgresql/data"},
        ("postgres", 999),
        tools=("sh", "bash", "psql", "pg_dump", "pg_restore", "pg_isready"),
        lacking=("curl", "wget"),
    ),
    REDIS: Contract(
        ["docker-entrypoint.sh"],
        ["redis-server"],
        {6379},
        {"/data"},
        ("redis", 999),
        tools=("sh", "grep", "redis-cli"),
        lacking=("curl", "wget"),
    ),
    RABBITMQ: Contract(
        ["docker-entrypoint.sh"],
        ["rabbitmq-server"],
        {4369, 5671, 5672, 15671, 15672, 15691, 15692, 25672},
        {"/var/lib/rabbitmq"},
        ("rabbitmq", 999),
        tools=("bash", "rabbitmqctl", "rabbitmq-diagnostics"),
        lacking=("curl", "wget"),
    ),
    MINIO: Contract(
        ["/usr/bin/docker-entrypoint.sh"],
        ["minio"],
        {9000},
        {"/data"},
        tools=("sh", "mc"),
        lacking=("curl", "wget"),
    ),
    HAPROXY: Contract(
        ["docker-entrypoint.sh"],
        ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
        set(),
        set(),
        ("haproxy", 99),
        "haproxy",
        ("sh", "bash", "haproxy"),
        ("curl", "wget"),
    ),
    MAILDEV: Contract(["node", "dist/bin/maildev.js"], None, {1025, 1080}, set(), ("node", 1000), "node", ("node",)),
}


@pytest.fixture(params=CONTRACTS)
def image(request: pytest.FixtureRequest, compose: Compose) -> Any:
    found = compose.docker.images.get(request.param)
    if "org.openmusic.stand-in" not in (found.labels or {}):
        pytest.skip("this is the official image")
    return found, CONTRACTS[request.param]


def test_a_stand_in_starts_as_the_original_does(image: Any) -> None:
    found, contract = image
    config = found.attrs["Config"]
    assert (config["Entrypoint"], config["Cmd"], config["User"]) == (contract.entry, contract.command, contract.user)
    assert {int(port.split("/")[0]) for port in config.get("ExposedPorts") or ()} == contract.ports
    assert set(config["Volumes"] or {}) == contract.volumes


def test_a_stand_in_has_the_users_and_tools_of_the_original_and_no_more(image: Any, compose: Compose) -> None:
    found, contract = image
    script = "".join(f"command -v {each} >/dev/null && echo {each};" for each in (*contract.tools, *contract.lacking))
    script += f"id -u {contract.owner[0]}" if contract.owner else "true"
    said = compose.docker.containers.run(found, ["-c", script], entrypoint="sh", remove=True).decode().split()
    assert said == [*contract.tools, *([str(contract.owner[1])] if contract.owner else [])]


@pytest.mark.parametrize("name", [REDIS, RABBITMQ, POSTGRES])
def test_a_stand_in_begins_as_root_and_steps_down(compose: Compose, name: str) -> None:
    owner, number = CONTRACTS[name].owner or ("", 0)
    container = compose.docker.containers.run(
        name, detach=True, environment={"POSTGRES_PASSWORD": "secret"}, network_mode="none"
    )
    try:
        first = ["sh", "-c", "stat -c %u /proc/1/exe /proc/1 | tail -n 1"]
        wait_until(lambda: container.exec_run(first, user=owner).output.strip() == str(number).encode(), RECOVERY)
    finally:
        container.remove(force=True, v=True)


def test_the_checks_of_compose_use_tools_that_the_images_have(compose: Compose) -> None:
    for container in compose.containers():
        test = (container.attrs["Config"].get("Healthcheck") or {}).get("Test") or []
        contract = CONTRACTS.get(container.attrs["Config"]["Image"])
        if contract and test[0] == "CMD":
            assert test[1] in contract.tools, container.name
