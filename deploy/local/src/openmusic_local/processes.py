"""Our own processes: how each is started, and the settings it is given; no process gets a secret it does not need."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openmusic_local.ports import Ports
from openmusic_local.program import Program, answers, reachable
from openmusic_local.secrets_file import Secrets
from openmusic_local.servers import objectstore, rabbitmq
from openmusic_local.settings import MANAGED, known_to
from openmusic_operations.system import GATEWAY, PROCESSES, SERVICES

PREFERRED_PORTS = {
    **{name: process.port for name, process in PROCESSES.items() if name != GATEWAY},
    "postgres": 25432,
    "redis": 26379,
    "rabbitmq": 25672,
    "rabbitmq_dist": 25673,
    "epmd": 24369,
    "objectstore": 29000,
    "smtp": 21025,
    "supervisor": 25900,
    **{f"{name} metrics": 26_000 + 20 * number for number, name in enumerate(PROCESSES)},
}


PortOverride = Callable[[str, str, int], int]
"""The port at which a process reaches a part, given both names and the port where that part listens."""


def direct(_process: str, _part: str, port: int) -> int:
    return port


@dataclass(frozen=True)
class StackContext:
    """What the processes' settings are made from. ``given`` are the settings that the user chose."""

    folder: Path
    ports: Ports
    secrets: Secrets
    host: str
    storage: str
    given: dict[str, str]
    port_override: PortOverride = direct

    @property
    def port(self) -> int:
        return self.ports["gateway"]

    @property
    def gateway_url(self) -> str:
        return f"http://{reachable(self.host)}:{self.port}"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def port_for(self, process: str, part: str) -> int:
        """The port at which the process reaches the part."""
        return self.port_override(process, part, self.ports[part])


def environment(name: str, context: StackContext) -> dict[str, str]:
    """The settings of one process, only such as it knows; what the user gave goes before the defaults."""
    known = known_to(name)
    settings = {**_defaults(name, context), **_given(name, context), **_managed(name, context)}
    return {setting: value for setting, value in settings.items() if setting in known}


def _defaults(name: str, context: StackContext) -> dict[str, str]:
    defaults = {
        "ENVIRONMENT": "development",
        "PUBLIC_URL": context.gateway_url,
        "STORAGE": context.storage,
        "STORAGE_FOLDER": str(context.folder / "covers"),
    }
    if not {"SMTP_HOST", "SMTP_PORT"} & context.given.keys():
        defaults |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(context.port_for(name, "smtp"))}
    return defaults


def _given(name: str, context: StackContext) -> dict[str, str]:
    given = {setting: value for setting, value in context.given.items() if setting not in MANAGED}
    if name == "media":  # all that it takes in is covers, so their limit is the one of its bodies
        given.pop("BODY_LIMIT", None)
        if "COVER_BODY_LIMIT" in given:
            given["BODY_LIMIT"] = given["COVER_BODY_LIMIT"]
    return given


def _managed(name: str, context: StackContext) -> dict[str, str]:
    ports, secrets = context.ports, context.secrets
    process = PROCESSES[name]
    managed = {
        "HOST": context.host if name == GATEWAY else "127.0.0.1",
        "PORT": str(ports[name]),
        "SERVICE_CREDENTIAL": secrets["service_credential"],
        "SIGNING_KEY_SECRET": secrets["signing_keys"],
        "RABBITMQ_SERVER": rabbitmq.url(context.port_for(name, "rabbitmq"), secrets["rabbitmq"]),
        "REDIS_SERVER": "127.0.0.1",
        "REDIS_PORT": str(context.port_for(name, "redis")),
        "S3_ENDPOINT": f"127.0.0.1:{context.port_for(name, 'objectstore')}",
        "S3_ACCESS_KEY": objectstore.ACCESS_KEY,
        "S3_SECRET_KEY": secrets["objectstore"],
        "S3_REGION": "us-east-1",
        "S3_PUBLIC_ENDPOINT": f"http://127.0.0.1:{ports['objectstore']}",
        **{f"{each.upper()}_URL": f"http://127.0.0.1:{context.port_for(name, each)}" for each in SERVICES},
    }
    if process.has_database:
        database = process.database
        managed |= {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(context.port_for(name, "postgres")),
            "PGUSER": database,
            "PGDATABASE": database,
            "PGPASSWORD": secrets[database],
        }
    return managed


def command(name: str, *, migrate: bool = False) -> list[str]:
    process = PROCESSES[name]
    return [sys.executable, "-m", process.package, "migrate" if migrate else process.command]


def prepare(name: str, context: StackContext) -> Program:
    url = context.gateway_url if name == GATEWAY else context.url(name)
    return Program(
        name,
        command(name),
        context.folder,
        answers(f"{url}/health/ready"),
        {**environment(name, context), "METRICS_PORT": str(context.ports[f"{name} metrics"])},
        stop_seconds=15,
    )
