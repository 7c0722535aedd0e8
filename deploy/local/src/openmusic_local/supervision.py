"""Supervisord keeps the programs running in the background; this is the little of it that we use."""

import os
import secrets
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from openmusic_local.errors import LocalError
from openmusic_local.program import Program

TAIL = 30  # lines of a log that a failure shows
ALREADY_STARTED, NOT_RUNNING = 60, 70  # fault codes of supervisord's XML-RPC interface


class Supervisor:
    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
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

    def launch(self, programs: list[Program]) -> None:
        """Starts the supervisor, which starts nothing by itself yet."""
        password = secrets.token_hex(16)
        for path, content in (
            (self._password_file, password),
            (self._configuration, self._write(programs, password)),
        ):
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(content)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._folder)
        if done.returncode:
            raise LocalError(f"The supervisor did not start:\n{done.stdout}{done.stderr}")
        wait_until(self._answers, 15, "The supervisor does not answer")

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
        """Raises LocalError with the end of its log when the program has given up or is not ready in time."""
        deadline = time.monotonic() + seconds
        while not program.ready():
            state = self.states()[program.name]["statename"]
            if state == "FATAL" or time.monotonic() > deadline:
                raise LocalError(f"{program.name} did not start. The end of its log:\n{self.tail(program.name)}")
            time.sleep(0.1)

    def tail(self, name: str) -> str:
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(f"  {line}" for line in lines[-TAIL:])

    def log(self, name: str) -> Path:
        return self._folder / "log" / f"{name}.log"

    def shut_down(self, seconds: float = 60) -> None:
        """Stops every program and then the supervisor; returns when all are gone."""
        pid = self.pid
        if pid is None:
            return
        self._rpc().shutdown()
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), seconds, "The supervisor does not stop")

    def _answers(self) -> bool:
        try:
            self._rpc().getState()
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def _rpc(self) -> Any:
        password = self._password_file.read_text()
        return xmlrpc.client.ServerProxy(f"http://openmusic:{password}@127.0.0.1:{self._port}/RPC2").supervisor

    def _write(self, programs: list[Program], password: str) -> str:
        (self._folder / "log").mkdir(exist_ok=True)
        return "\n".join([self._head(password), *(self._section(program) for program in programs)])

    def _head(self, password: str) -> str:
        user = "user=root" if os.geteuid() == 0 else ""
        return f"""
[supervisord]
{user}
pidfile={self._pid_file}
logfile={self._folder / "log" / "supervisord.log"}
childlogdir={self._folder / "log"}
directory={self._folder}

[inet_http_server]
port=127.0.0.1:{self._port}
username=openmusic
password={password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

    def _section(self, program: Program) -> str:
        environment = ",".join(f'{name}="{_escaped(value)}"' for name, value in program.environment.items())
        command = " ".join(
            f'"{_escaped(part)}"' if " " in part or not part else _escaped(part) for part in program.command
        )
        return f"""
[program:{program.name}]
command={command}
directory={program.folder}
environment={environment}
autostart=false
autorestart=true
startsecs=2
startretries=5
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_seconds}
stopasgroup={str(program.group).lower()}
killasgroup=true
redirect_stderr=true
stdout_logfile={self.log(program.name)}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace('"', '\\"')


def wait_until(condition: Callable[[], bool], seconds: float, message: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LocalError(message)
        time.sleep(0.05)
