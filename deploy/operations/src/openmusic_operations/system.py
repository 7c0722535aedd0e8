"""The processes of OpenMusic and the servers that they use, as ``system.toml`` describes them.

Imports nothing but the standard library: it also runs where none of our packages is installed.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DESCRIPTION = Path(__file__).with_name("system.toml")
GATEWAY = "gateway"


@dataclass(frozen=True)
class Server:
    """``ports`` are those of its protocol. ``secret`` is the setting that lets a process in.

    ``connections`` is how many it must allow in all, if it counts them.
    """

    name: str
    ports: tuple[int, ...]
    secret: str | None = None
    connections: int | None = None


@dataclass(frozen=True)
class Process:
    """One entry of ``system.toml``, which explains the fields."""

    name: str
    service: str
    port: int
    group: int
    needs: tuple[Server, ...]
    cpu: str
    memory: str
    max_copies: int
    calls: tuple[str, ...] = ()
    own_secrets: tuple[str, ...] = ()
    consumes: tuple[str, ...] = ()
    command: str = "serve"

    @property
    def serves(self) -> bool:
        """Whether others send it requests; a worker answers health checks only."""
        return self.command == "serve"

    @property
    def container(self) -> str:
        """Its name in compose.yaml and in Kubernetes."""
        return self.folder if self.serves else self.name

    @property
    def folder(self) -> str:
        """The folder of its code, which is also the name of its image."""
        return folder_of(self.service)

    @property
    def package(self) -> str:
        return f"openmusic_{self.service}"

    @property
    def has_database(self) -> bool:
        return "postgres" in {server.name for server in self.needs}

    @property
    def database(self) -> str:
        """Of its service; its role is called the same."""
        return f"openmusic_{self.service}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The settings that nobody else may know."""
        of_servers = (server.secret for server in self.needs if server.secret is not None)
        return ("SERVICE_CREDENTIAL", *of_servers, *self.own_secrets)


def folder_of(service: str) -> str:
    return service if service == GATEWAY else f"{service}-service"


def _process(name: str, entry: dict[str, Any]) -> Process:
    lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
    needs = tuple(SERVERS[server] for server in entry["needs"])
    entry = {"service": name, **entry, **lists, "needs": needs}
    return Process(name=name, own_secrets=entry.pop("secrets", ()), **entry)


_description = tomllib.loads(DESCRIPTION.read_text())
REGISTRY: str = _description["registry"]
SERVERS = {
    name: Server(name, **{**each, "ports": tuple(each["ports"])}) for name, each in _description["servers"].items()
}
PROCESSES = {name: _process(name, entry) for name, entry in _description["processes"].items()}
SERVICES = tuple(process.name for process in PROCESSES.values() if process.serves and process.name != GATEWAY)
"""All that the gateway leads to."""
WITH_DATABASE = tuple(service for service in SERVICES if PROCESSES[service].has_database)
QUEUES = tuple(queue for process in PROCESSES.values() for queue in process.consumes)


def callers(service: str) -> set[str]:
    """The processes that send requests to a service."""
    return {process.name for process in PROCESSES.values() if service in process.calls}
