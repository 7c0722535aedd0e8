"""The whole of OpenMusic on one machine, without containers: servers, databases, migrations, processes."""

import errno
import json
import os
import subprocess
import xmlrpc.client
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from openmusic_local import processes
from openmusic_local.errors import LocalError
from openmusic_local.ports import Ports, obstacle
from openmusic_local.processes import PREFERRED_PORTS, PortOverride, StackContext, direct
from openmusic_local.program import Program, reachable
from openmusic_local.secrets_file import Secrets
from openmusic_local.servers import mail, objectstore, postgres, rabbitmq, redis
from openmusic_local.settings import KNOWN, check_values
from openmusic_local.supervision import Supervisor
from openmusic_local.waiting import wait_until
from openmusic_operations.system import GATEWAY, PROCESSES, WITH_DATABASE

LOOPBACK = "127.0.0.1"
READY_WITHIN = 90.0  # seconds
SERVERS = ("postgres", "redis", "epmd", "rabbitmq", "objectstore", "mail")
PORT_SETTINGS = (("PORT", "gateway"), ("MAIL_PORT", "mail"))
HOST_SETTINGS = {"PORT": "HOST", "MAIL_PORT": "MAIL_PAGE_HOST"}


class Stack:
    """One installation in ``folder``. With ``preferred_ports`` empty, every port is whatever is free.

    With a ``port_override``, our processes reach each other and the servers through ports that it chooses.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        preferred_ports: Mapping[str, int] = PREFERRED_PORTS,
        report: Callable[[str], None] = lambda _: None,
        port_override: PortOverride = direct,
    ) -> None:
        self._folder = folder.resolve()
        self._settings = dict(settings)
        self._report = report
        self._port_override = port_override
        self._ports = Ports(self._folder / "ports.json", dict(preferred_ports))
        self._secrets = Secrets(self._folder / "secrets.json")
        self.host = settings.get("HOST", LOOPBACK)
        self._mail_host = settings.get("MAIL_PAGE_HOST", LOOPBACK)  # the page asks nobody for a login
        self._programs: dict[str, Program] = {}

    @property
    def url(self) -> str:
        return self._context().gateway_url

    @property
    def mail_url(self) -> str:
        return f"http://{reachable(self._mail_host)}:{self._ports['mail']}"

    def service_url(self, name: str) -> str:
        """Where a process answers directly, past the gateway."""
        return self._context().url(name)

    @property
    def running(self) -> bool:
        return self._supervisor.pid is not None

    @property
    def abandoned(self) -> bool:
        """Whether the supervisor was killed, and parts that it started still run."""
        return self._supervisor.abandoned

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def has_data(self) -> bool:
        """Whether the folder is that of an installation."""
        return (self._folder / "ports.json").exists()

    def start(self) -> None:
        """Starts everything, and returns when all of it is ready. What was started is stopped again if it fails."""
        try:
            self.start_servers(*self._servers)
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
        """Stops whatever runs of this installation: our processes first, as they may need the servers to finish."""
        with suppress(OSError, xmlrpc.client.Error):  # without its help, what follows takes longer
            names = self._supervisor.states().keys() if self.running else set()
            self._supervisor.stop_together(names & set(PROCESSES))
            self._supervisor.stop_together(names - set(PROCESSES))
        self._supervisor.shut_down()

    def start_process(self, name: str) -> None:
        """Starts one that was stopped, and waits until it is ready."""
        self._supervisor.start(name)
        self._supervisor.wait_ready(self._programs[name])

    def resume(self, name: str) -> None:
        """Starts one that was stopped, without a wait."""
        self._supervisor.start(name)

    def wait_ready(self, name: str) -> None:
        """Waits until one works that was started, or is being started again by the supervisor."""
        if not wait_until(self._programs[name].ready, READY_WITHIN):
            raise LocalError(f"{name} does not answer")

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

    def pids(self) -> dict[str, int]:
        """The process id of each part that runs."""
        return {name: state["pid"] for name, state in self._supervisor.states().items() if state["pid"]}

    def environment(self, process: str, copy: str | None = None) -> dict[str, str]:
        """The settings that one of our processes is given, or another ``copy`` of it with its own ports to others."""
        context = self._context()
        if copy is not None:
            context = replace(context, port_override=lambda _, part, port: self._port_override(copy, part, port))
        return processes.environment(process, context)

    def log(self, name: str) -> Path:
        return self._supervisor.log(name)

    # Addresses and keys of the servers, for tests of single services.

    def server_port(self, name: str) -> int:
        return self._ports[name]

    def secret(self, name: str) -> str:
        return self._secrets[name]

    @property
    def _supervisor(self) -> Supervisor:
        return Supervisor(self._folder, self._ports)

    @property
    def _storage(self) -> str:
        return self._settings.get("STORAGE", "s3")

    @property
    def _servers(self) -> tuple[str, ...]:
        return tuple(name for name in SERVERS if name != "objectstore" or self._storage == "s3")

    def _launch(self) -> None:
        if self.abandoned:
            self._report("stopping what was left when the supervisor was killed")
            self.stop()
        self._claim_folder()
        self._choose_ports()
        check_values({name: processes.environment(name, self._context()) for name in PROCESSES})
        self._list_metrics()
        self._programs = {program.name: program for program in self._prepare()}
        self._supervisor.launch(list(self._programs.values()), _own_environment())

    def _claim_folder(self) -> None:
        """Refuses one in which something else is kept: ``make reset`` deletes all of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self.has_data and {path.name for path in self._folder.iterdir()} - {"covers"}:
            raise LocalError(
                f"{self._folder} holds something else: set OPENMUSIC_DATA to a folder that is new or empty"
            )

    def _choose_ports(self) -> None:
        fixed = {
            name: _port(setting, self._settings[setting])
            for setting, name in PORT_SETTINGS
            if setting in self._settings
        }
        if len(set(fixed.values())) < len(fixed):
            raise LocalError("PORT and MAIL_PORT are the same: set one of them to another one")
        self._ports.choose([*PREFERRED_PORTS, "gateway", "mail"], fixed)
        for setting, name in PORT_SETTINGS:
            self._check_port(setting, self._ports[name])

    def _list_metrics(self) -> None:
        """For Prometheus, which reads this file again when it changes (``file_sd_configs``)."""
        workers = int(self._settings.get("WORKERS", "1"))
        found = [
            {
                "targets": [f"{LOOPBACK}:{self._ports[f'{name} metrics'] + number}" for number in range(copies)],
                "labels": {"process": name},
            }
            for name, copies in ((name, workers if name == GATEWAY else 1) for name in PROCESSES)
        ]
        (self._folder / "metrics.json").write_text(json.dumps(found, indent=2))

    def _check_port(self, setting: str, port: int) -> None:
        host = self._mail_host if setting == "MAIL_PORT" else self.host
        error = obstacle(port, host)
        if error is None:
            return
        if error.errno == errno.EADDRINUSE:
            raise LocalError(f"Port {port} is in use by another program: set {setting} to another one")
        raise LocalError(
            f"{host}:{port} cannot be used ({error.strerror}): set {HOST_SETTINGS[setting]} or {setting} to another one"
        )

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
            *(
                objectstore.prepare(folder("objectstore"), ports["objectstore"], self._secrets["objectstore"])
                for name in self._servers
                if name == "objectstore"
            ),
            mail.prepare(folder("mail"), ports["smtp"], ports["mail"], self._mail_host),
            *(processes.prepare(name, self._context()) for name in PROCESSES),
        ]

    def _context(self) -> StackContext:
        return StackContext(
            self._folder,
            self._ports,
            self._secrets,
            self.host,
            self._storage,
            {name: value for name, value in self._settings.items() if name in KNOWN},
            self._port_override,
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
                database = PROCESSES[service].database
                postgres.ensure_database(connection, database, self._secrets[database])

    def _migrate(self) -> None:
        self._report("migrating the databases")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._migrate_one, WITH_DATABASE))

    def _migrate_one(self, service: str) -> None:
        settings = processes.environment(service, self._context())
        done = subprocess.run(
            processes.command(service, migrate=True),
            env={**_own_environment(), **settings},
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            end = "\n".join(done.stdout.splitlines()[-20:])
            raise LocalError(f"The database of {service} could not be migrated:\n{end}")


def _own_environment() -> dict[str, str]:
    """Ours without any setting: each process gets those that are meant for it, and no others by accident."""
    return {name: value for name, value in os.environ.items() if name not in KNOWN}


def _port(setting: str, value: str) -> int:
    if value.isdecimal() and 0 < int(value) < 65536:
        return int(value)
    raise LocalError(f"{setting} must be a port, from 1 to 65535: {value}")


def repository() -> Path:
    """The folder that holds this checkout."""
    return Path(__file__).resolve().parents[4]
