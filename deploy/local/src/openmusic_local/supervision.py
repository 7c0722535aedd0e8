"""Supervisord keeps the programs running in the background; this is the little of it that we use."""

import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from openmusic_local import running
from openmusic_local.errors import LocalError
from openmusic_local.ports import Ports
from openmusic_local.program import Program
from openmusic_local.waiting import wait_until

TAIL = 30  # lines of a log that a failure shows
ALREADY_STARTED, NOT_RUNNING = 60, 70  # fault codes of supervisord's XML-RPC interface
RUNNING = {"STARTING", "RUNNING", "BACKOFF", "STOPPING"}  # its states of a program that has not ended for good


class Supervisor:
    def __init__(self, folder: Path, ports: Ports) -> None:
        self._folder = folder
        self._ports = ports
        self._configuration = folder / "supervisord.conf"
        self._pid_file = folder / "supervisord.pid"
        self._password_file = folder / "supervisord.password"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if str(self._configuration).encode() in command else None

    @property
    def abandoned(self) -> bool:
        """Whether the supervisor is gone, but not all that it started."""
        return self.pid is None and bool(running.find(self._folder))

    def launch(self, programs: list[Program], environment: Mapping[str, str]) -> None:
        """Starts the supervisor, which starts nothing by itself yet. Every program inherits ``environment``."""
        (self._folder / "log").mkdir(exist_ok=True)
        (self._folder / "start").mkdir(exist_ok=True)
        for program in programs:
            _write_secretly(self._start_script(program.name), _script(program))
        password = secrets.token_hex(16)
        _write_secretly(self._password_file, password)
        _write_secretly(self._configuration, "\n".join([self._head(password), *map(self._section, programs)]))
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env={**environment, **running.mark(self._folder)},
            start_new_session=True,  # so that `running` never takes the terminal's session for the supervisor's
        )
        if done.returncode:
            raise LocalError(f"The supervisor did not start:\n{done.stdout}{done.stderr}")
        if not wait_until(self._answers, 15):
            raise LocalError("The supervisor does not answer")

    def start(self, name: str) -> None:
        try:
            self._rpc().startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise LocalError(f"{name} could not be started: {fault.faultString}") from fault

    def stop(self, name: str) -> None:
        try:
            self._rpc().stopProcess(name, True)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != NOT_RUNNING:
                raise

    def signal(self, name: str, signal: str) -> None:
        self._rpc().signalProcess(name, signal)

    def states(self) -> dict[str, dict[str, Any]]:
        """``{statename, pid, description, ...}`` of each program by its name."""
        found = cast("list[dict[str, Any]]", self._rpc().getAllProcessInfo())
        return {each["name"]: each for each in found}

    def wait_ready(self, program: Program, seconds: float = 90) -> None:
        """Raises LocalError with the end of its log when the program has ended or is not ready in time."""
        deadline = time.monotonic() + seconds
        first = self.states()[program.name]["pid"]
        while not program.ready():
            state = self.states()[program.name]
            ended = state["pid"] != first or state["statename"] in {"BACKOFF", "FATAL"}
            if ended or time.monotonic() > deadline:
                raise LocalError(f"{program.name} did not start. The end of its log:\n{self.tail(program.name)}")
            time.sleep(0.1)

    def tail(self, name: str) -> str:
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(f"  {line}" for line in lines[-TAIL:])

    def log(self, name: str) -> Path:
        return self._folder / "log" / f"{name}.log"

    def stop_together(self, names: Iterable[str], seconds: float = 40) -> None:
        """Tells all of them to stop, then waits for all; by itself the supervisor stops one after the other."""
        wanted = set(names)
        for name in wanted:
            with suppress(xmlrpc.client.Fault):  # it does not run, or ended by itself meanwhile
                self._rpc().stopProcess(name, False)
        wait_until(lambda: not self._running_of(wanted), seconds)

    def _running_of(self, names: set[str]) -> set[str]:
        return {name for name, state in self.states().items() if name in names and state["statename"] in RUNNING}

    def shut_down(self, seconds: float = 60) -> None:
        """Stops every program and then the supervisor, or what it left behind; returns when all are gone."""
        pid, processes = self.pid, running.find(self._folder)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not running.remaining(processes), seconds)
        running.end(self._folder)

    def _answers(self) -> bool:
        try:
            self._rpc().getState()
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def _rpc(self) -> Any:
        password = self._password_file.read_text()
        return xmlrpc.client.ServerProxy(
            f"http://openmusic:{password}@127.0.0.1:{self._ports['supervisor']}/RPC2"
        ).supervisor

    def _start_script(self, name: str) -> Path:
        return self._folder / "start" / f"{name}.sh"

    def _relative(self, path: Path) -> str:
        """As seen from where the supervisor is launched: then the name of the data folder may hold anything."""
        return str(path.relative_to(self._folder))

    def _head(self, password: str) -> str:
        user = "user=root" if os.geteuid() == 0 else ""
        return f"""
[supervisord]
{user}
pidfile={self._relative(self._pid_file)}
logfile={self._relative(self.log("supervisord"))}
childlogdir={self._relative(self._folder / "log")}

[inet_http_server]
port=127.0.0.1:{self._ports["supervisor"]}
username=openmusic
password={password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

    def _section(self, program: Program) -> str:
        return f"""
[program:{program.name}]
command=/bin/sh "{self._relative(self._start_script(program.name))}"
autostart=false
autorestart=true
startsecs=2
startretries=5
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_seconds}
stopasgroup={str(program.group).lower()}
killasgroup=true
redirect_stderr=true
stdout_logfile={self._relative(self.log(program.name))}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def _script(program: Program) -> str:
    """Sets folder and environment and starts the program; supervisord's own notation cannot hold every text."""
    settings = [f"export {name}={shlex.quote(value)}" for name, value in program.environment.items()]
    return "\n".join([f"cd {shlex.quote(str(program.folder))}", *settings, f"exec {shlex.join(program.command)}", ""])


def _write_secretly(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(content)
