"""Our own processes: which there are, and the environment that each is given - no secret that it does not need."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openmusic_local.ports import Ports
from openmusic_local.program import Program, answers, reachable
from openmusic_local.secrets_file import Secrets
from openmusic_local.servers import objectstore, rabbitmq
from openmusic_local.settings import DECIDED, known_to

SERVICES = ("auth", "catalog", "playlist", "media", "export")
WITH_DATABASE = ("auth", "catalog", "playlist", "export")
PROCESSES = (*SERVICES, "export-worker", "gateway")
PREFERRED_PORTS = {
    **{name: 5101 + number for number, name in enumerate((*SERVICES, "export-worker"))},
    "postgres": 25432,
    "redis": 26379,
    "rabbitmq": 25672,
    "rabbitmq_dist": 25673,
    "epmd": 24369,
    "objectstore": 29000,
    "smtp": 21025,
    "supervisor": 25900,
}


Detour = Callable[[str, str, int], int]
"""The port at which a process reaches a part, given both names and the port where that part listens."""


def straight(_process: str, _part: str, port: int) -> int:
    return port


@dataclass(frozen=True)
class Surroundings:
    """All that the environments are made of. ``given`` are the settings that the user chose."""

    folder: Path
    ports: Ports
    secrets: Secrets
    host: str
    storage: str
    given: dict[str, str]
    detour: Detour = straight

    @property
    def port(self) -> int:
        return self.ports["gateway"]

    @property
    def gateway_url(self) -> str:
        return f"http://{reachable(self.host)}:{self.port}"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def way(self, process: str, part: str) -> int:
        """The port at which the process reaches the part."""
        return self.detour(process, part, self.ports[part])


def database_of(service: str) -> str:
    return f"openmusic_{service}"


def environment(name: str, around: Surroundings) -> dict[str, str]:
    """The settings of one process, only such as it knows; what the user gave goes before the defaults."""
    known = known_to(name)
    settings = {**_defaults(name, around), **_given(name, around), **_decided(name, around)}
    return {setting: value for setting, value in settings.items() if setting in known}


def _defaults(name: str, around: Surroundings) -> dict[str, str]:
    defaults = {
        "ENVIRONMENT": "development",
        "PUBLIC_URL": around.gateway_url,
        "STORAGE": around.storage,
        "STORAGE_FOLDER": str(around.folder / "covers"),
    }
    if not {"SMTP_HOST", "SMTP_PORT"} & around.given.keys():
        defaults |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(around.way(name, "smtp"))}
    return defaults


def _given(name: str, around: Surroundings) -> dict[str, str]:
    given = {setting: value for setting, value in around.given.items() if setting not in DECIDED}
    if name == "media":  # all that it takes in is covers, so their limit is the one of its bodies
        given.pop("BODY_LIMIT", None)
        if "COVER_BODY_LIMIT" in given:
            given["BODY_LIMIT"] = given["COVER_BODY_LIMIT"]
    return given


def _decided(name: str, around: Surroundings) -> dict[str, str]:
    service = "export" if name == "export-worker" else name
    ports, secrets = around.ports, around.secrets
    decided = {
        "HOST": around.host if name == "gateway" else "127.0.0.1",
        "PORT": str(ports[name]),
        "SERVICE_CREDENTIAL": secrets["service_credential"],
        "SIGNING_KEY_SECRET": secrets["signing_keys"],
        "RABBITMQ_SERVER": rabbitmq.url(around.way(name, "rabbitmq"), secrets["rabbitmq"]),
        "REDIS_SERVER": "127.0.0.1",
        "REDIS_PORT": str(around.way(name, "redis")),
        "S3_ENDPOINT": f"127.0.0.1:{around.way(name, 'objectstore')}",
        "S3_ACCESS_KEY": objectstore.ACCESS_KEY,
        "S3_SECRET_KEY": secrets["objectstore"],
        "S3_REGION": "us-east-1",
        **{f"{each.upper()}_URL": f"http://127.0.0.1:{around.way(name, each)}" for each in SERVICES},
    }
    if service in WITH_DATABASE:
        database = database_of(service)
        decided |= {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(around.way(name, "postgres")),
            "PGUSER": database,
            "PGDATABASE": database,
            "PGPASSWORD": secrets[database],
        }
    return decided


def command(name: str, *, migrate: bool = False) -> list[str]:
    service = "export" if name == "export-worker" else name
    verb = "migrate" if migrate else "worker" if name == "export-worker" else "serve"
    return [sys.executable, "-m", f"openmusic_{service}", verb]


def prepare(name: str, around: Surroundings) -> Program:
    url = around.gateway_url if name == "gateway" else around.url(name)
    return Program(
        name,
        command(name),
        around.folder,
        answers(f"{url}/health/ready"),
        environment(name, around),
        stop_seconds=15,
    )
