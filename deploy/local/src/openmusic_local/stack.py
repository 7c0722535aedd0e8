"""The whole of OpenMusic on one machine, without containers: servers, databases, migrations, processes."""

import os
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openmusic_local import processes
from openmusic_local.errors import LocalError
from openmusic_local.ports import Ports, is_free
from openmusic_local.processes import PREFERRED_PORTS, PROCESSES, WITH_DATABASE, Surroundings
from openmusic_local.program import Program
from openmusic_local.secrets_file import Secrets
from openmusic_local.servers import mail, objectstore, postgres, rabbitmq, redis
from openmusic_local.supervision import Supervisor

SERVERS = ("postgres", "redis", "epmd", "rabbitmq", "objectstore", "mail")
PASSED_ON = (
    "LOG_LEVEL",
    "PUBLIC_URL",
    "ACCESS_TOKEN_AGE",
    "REFRESH_TOKEN_AGE",
    "SMTP_HOST",
    "SMTP_PORT",
    "SMTP_USER",
    "SMTP_PASSWORD",
    "SMTP_SECURITY",
    "MAIL_FROM",
    "MAIL_SUBJECT",
    "BODY_LIMIT",
)


class Stack:
    """One installation in ``folder``. With ``preferred_ports`` empty, every port is whatever is free."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        preferred_ports: Mapping[str, int] = PREFERRED_PORTS,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder.resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._settings = dict(settings)
        self._report = report
        self._ports = Ports(self._folder / "ports.json", dict(preferred_ports))
        self._secrets = Secrets(self._folder / "secrets.json")
        self.host = settings.get("HOST", "127.0.0.1")
        self._programs: dict[str, Program] = {}

    @property
    def port(self) -> int:
        return int(self._settings["PORT"]) if "PORT" in self._settings else self._ports["gateway"]

    @property
    def mail_port(self) -> int:
        return int(self._settings["MAIL_PORT"]) if "MAIL_PORT" in self._settings else self._ports["mail"]

    @property
    def url(self) -> str:
        return self._surroundings().public_url

    @property
    def mail_url(self) -> str:
        return f"http://127.0.0.1:{self.mail_port}"

    def service_url(self, name: str) -> str:
        """Where a process answers directly, past the gateway."""
        return self._surroundings().url(name)

    @property
    def running(self) -> bool:
        return (self._folder / "ports.json").exists() and self._supervisor.pid is not None

    def start(self) -> None:
        """Starts everything, and returns when all of it is ready. What was started is stopped again if it fails."""
        try:
            self.start_servers(*SERVERS)
            self._create_databases()
            self._migrate()
            self._start_together(*PROCESSES)
        except BaseException:
            self.stop()
            raise

    def start_servers(self, *names: str) -> None:
        """Starts only these servers (and the supervisor, if it does not run yet)."""
        if not self.running:
            self._launch()
        if "rabbitmq" in names:
            self._start_together("epmd")
        self._start_together(*(name for name in names if name != "epmd"))

    def stop(self) -> None:
        if self.running:
            self._supervisor.shut_down()

    def start_process(self, name: str) -> None:
        """Starts one that was stopped, and waits until it is ready."""
        self._supervisor.start(name)
        self._supervisor.wait_ready(self._programs[name])

    def stop_process(self, name: str) -> None:
        """Stops one and keeps it stopped."""
        self._supervisor.stop(name)

    def kill(self, name: str, signal: str = "KILL") -> None:
        """Sends a signal; a process that ends by it is started again by the supervisor."""
        self._supervisor.signal(name, signal)

    def states(self) -> dict[str, str]:
        """A line on each part, by its name."""
        return {
            name: f"{state['statename'].lower():10} {state['description']}"
            for name, state in self._supervisor.states().items()
        }

    def log(self, name: str) -> Path:
        return self._supervisor.log(name)

    # Addresses and keys of the servers, for tests of single services.

    def server_port(self, name: str) -> int:
        return self._ports[name]

    def secret(self, name: str) -> str:
        return self._secrets[name]

    @property
    def _supervisor(self) -> Supervisor:
        return Supervisor(self._folder, self._ports["supervisor"])

    def _launch(self) -> None:
        self._ports.choose([*PREFERRED_PORTS, "gateway", "mail"])
        for setting, port in (("PORT", self.port), ("MAIL_PORT", self.mail_port)):
            if not is_free(port, self.host):
                raise LocalError(f"Port {port} is in use by another program: set {setting} to another one")
        self._programs = {program.name: program for program in self._prepare()}
        self._supervisor.launch(list(self._programs.values()))

    def _prepare(self) -> list[Program]:
        def folder(name: str) -> Path:
            path = self._folder / name
            path.mkdir(exist_ok=True)
            return path

        ports = self._ports
        return [
            postgres.prepare(folder("postgres"), ports["postgres"], self._secrets["postgres"]),
            redis.prepare(folder("redis"), ports["redis"]),
            *rabbitmq.prepare(folder("rabbitmq"), ports, self._secrets["rabbitmq"]),
            objectstore.prepare(folder("objectstore"), ports["objectstore"], self._secrets["objectstore"]),
            mail.prepare(folder("mail"), ports["smtp"], self.mail_port, self.host),
            *(processes.prepare(name, self._surroundings()) for name in PROCESSES),
        ]

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            self._folder,
            self._ports,
            self._secrets,
            self.host,
            self.port,
            self._settings.get("STORAGE", "s3"),
            {name: self._settings[name] for name in PASSED_ON if name in self._settings},
        )

    def _start_together(self, *names: str) -> None:
        for name in names:
            self._report(f"starting {name}")
            self._supervisor.start(name)
        for name in names:
            self._supervisor.wait_ready(self._programs[name])
            self._report(f"ready    {name}")

    def _create_databases(self) -> None:
        self._report("creating roles and databases")
        with postgres.connect(self._ports["postgres"], self._secrets["postgres"]) as connection:
            for service in WITH_DATABASE:
                database = processes.database_of(service)
                postgres.ensure_database(connection, database, self._secrets[database])

    def _migrate(self) -> None:
        self._report("migrating the databases")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._migrate_one, WITH_DATABASE))

    def _migrate_one(self, service: str) -> None:
        settings = processes.environment(service, self._surroundings())
        done = subprocess.run(
            processes.command(service, migrate=True),
            env={**os.environ, **settings},
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            end = "\n".join(done.stdout.splitlines()[-20:])
            raise LocalError(f"The database of {service} could not be migrated:\n{end}")


def repository() -> Path:
    """The folder that holds this checkout."""
    return Path(__file__).resolve().parents[4]
