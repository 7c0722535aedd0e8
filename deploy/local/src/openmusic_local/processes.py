"""Our own processes: which there are, and the environment that each is given - no secret that it does not need."""

import sys
from dataclasses import dataclass
from pathlib import Path

from openmusic_local.ports import Ports
from openmusic_local.program import Program, answers
from openmusic_local.secrets_file import Secrets
from openmusic_local.servers import objectstore, rabbitmq

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


@dataclass(frozen=True)
class Surroundings:
    """All that the environments are made of. ``given`` are the settings that the user chose."""

    folder: Path
    ports: Ports
    secrets: Secrets
    host: str
    port: int
    storage: str
    given: dict[str, str]

    @property
    def public_url(self) -> str:
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port}"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"


def database_of(service: str) -> str:
    return f"openmusic_{service}"


def environment(name: str, around: Surroundings) -> dict[str, str]:
    """The settings of one process; what the user gave goes before the rest."""
    port = around.port if name == "gateway" else around.ports[name]
    chosen = {
        "HOST": around.host if name == "gateway" else "127.0.0.1",
        "PORT": str(port),
        "ENVIRONMENT": "development",
        "SERVICE_CREDENTIAL": around.secrets["service_credential"],
        "PUBLIC_URL": around.public_url,
        **{f"{service.upper()}_URL": around.url(service) for service in SERVICES},
    }
    if name != "gateway":
        password = around.secrets["rabbitmq"]
        chosen["RABBITMQ_SERVER"] = rabbitmq.url(around.ports["rabbitmq"], password)
    if name in {"catalog", "playlist", "gateway"}:
        chosen |= {"REDIS_SERVER": "127.0.0.1", "REDIS_PORT": str(around.ports["redis"])}
    chosen |= _particular(name, around)
    ours = {"HOST", "PORT"} if name != "gateway" else set()
    return chosen | {key: value for key, value in around.given.items() if key not in ours}


def _particular(name: str, around: Surroundings) -> dict[str, str]:
    service = "export" if name == "export-worker" else name
    particular: dict[str, str] = {}
    if service in WITH_DATABASE:
        database = database_of(service)
        particular |= {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(around.ports["postgres"]),
            "PGUSER": database,
            "PGDATABASE": database,
            "PGPASSWORD": around.secrets[database],
        }
    if name == "auth":
        particular["SIGNING_KEY_SECRET"] = around.secrets["signing_keys"]
    if name == "media" and around.storage == "s3":
        particular |= {
            "STORAGE": "s3",
            "S3_ENDPOINT": f"127.0.0.1:{around.ports['objectstore']}",
            "S3_ACCESS_KEY": objectstore.ACCESS_KEY,
            "S3_SECRET_KEY": around.secrets["objectstore"],
            "S3_SECURE": "false",
        }
    elif name == "media":
        particular |= {"STORAGE": "local", "STORAGE_FOLDER": str(around.folder / "covers")}
    if name == "export-worker":
        particular |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(around.ports["smtp"])}
    return particular


def command(name: str, *, migrate: bool = False) -> list[str]:
    service = "export" if name == "export-worker" else name
    verb = "migrate" if migrate else "worker" if name == "export-worker" else "serve"
    return [sys.executable, "-m", f"openmusic_{service}", verb]


def prepare(name: str, around: Surroundings) -> Program:
    settings = environment(name, around)
    return Program(
        name,
        command(name),
        around.folder,
        answers(f"http://127.0.0.1:{settings['PORT']}/health/ready"),
        settings,
        stop_seconds=15,
    )
