"""Installations of the tests' own, driven by the command line as people drive theirs."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from PIL import Image

from openmusic_local.ports import Ports
from openmusic_local.settings import KNOWN
from openmusic_testkit import plain_http


class Installation:
    """A data folder and the settings to go with it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        ports = Ports(folder.with_suffix(".ports"), {})
        ports.choose(["gateway", "mail"], {})
        self.settings = {"OPENMUSIC_DATA": str(folder), "PORT": str(ports["gateway"]), "MAIL_PORT": str(ports["mail"])}
        self.settings |= settings

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in KNOWN}
        return subprocess.run(
            [sys.executable, "-m", "openmusic_local", *arguments],
            env={**inherited, **self.settings, **settings},
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )

    def up(self) -> None:
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr

    def remove(self) -> None:
        if self.folder.exists():
            self.run("down")
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def supervisor(self) -> int | None:
        with suppress(FileNotFoundError):
            pid = int((self.folder / "supervisord.pid").read_text())
            return pid if pid in parents() else None
        return None

    @property
    def pids(self) -> set[int]:
        """The supervisor, its children, and theirs."""
        known, supervisor = parents(), self.supervisor
        found = set() if supervisor is None else {supervisor}
        while more := {pid for pid, parent in known.items() if parent in found} - found:
            found |= more
        return found

    @property
    def ports(self) -> dict[str, int]:
        ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return ports

    @property
    def secrets(self) -> dict[str, str]:
        secrets: dict[str, str] = json.loads((self.folder / "secrets.json").read_text())
        return secrets

    @property
    def http(self) -> httpx.Client:
        """A client of the gateway."""
        url = f"http://{self.settings.get('HOST', '127.0.0.1')}:{self.settings['PORT']}"
        return plain_http.Client(base_url=url)

    def environment(self, part: str) -> dict[str, str]:
        """What the process of a part was really given."""
        supervisor = self.supervisor
        (pid,) = (pid for pid, parent in parents().items() if parent == supervisor and _runs(pid, part))
        lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return dict(line.split("=", 1) for line in lines if line)


def _runs(pid: int, part: str) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    service, _, verb = part.partition("-")
    return f"openmusic_{service}" in command and (verb or "serve") in command


def parents() -> dict[int, int]:
    """Each process that has not ended, and its parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(path.parent.name)] = int(parent)
    return found


@pytest.fixture(scope="session")
def make_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Installation]]:
    """Makes one in which nothing runs yet."""
    made = []

    def make(**settings: str) -> Installation:
        made.append(Installation(tmp_path_factory.mktemp("installation") / "the data", **settings))
        return made[-1]

    yield make
    for each in made:
        each.remove()


@pytest.fixture(scope="session")
def shared_installation(make_installation: Callable[..., Installation]) -> Installation:
    installation = make_installation()
    installation.up()
    return installation


@pytest.fixture
def running(shared_installation: Installation) -> Installation:
    """The shared installation, in which everything runs."""
    if shared_installation.supervisor is None:
        shared_installation.up()
    return shared_installation


@pytest.fixture
def idle(make_installation: Callable[..., Installation]) -> Installation:
    """One that was never started."""
    return make_installation()


@pytest.fixture(scope="session")
def alive() -> Callable[[set[int]], set[int]]:
    """Those of the processes that have not ended."""
    return lambda pids: pids & parents().keys()


@pytest.fixture(scope="session")
def kill_supervisor() -> Callable[[Installation], None]:
    """As the kernel would when memory runs out: its children stay."""

    def kill(installation: Installation) -> None:
        pid = installation.supervisor
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while pid in parents():
            time.sleep(0.05)

    return kill


@pytest.fixture(scope="session")
def upload_cover() -> Callable[[httpx.Client], str]:
    """Makes an album with a cover; gives its id."""

    def upload(http: httpx.Client) -> str:
        picture = io.BytesIO()
        Image.new("RGB", (32, 32), "teal").save(picture, "PNG")
        album_id: str = http.post("/albums", json={"name": "Parachutes", "year": 2000}).json()["data"]["albumId"]
        answer = http.post(f"/albums/{album_id}/covers", files={"cover": ("a.png", picture.getvalue(), "image/png")})
        assert answer.status_code == 201, answer.text
        return album_id

    return upload


class MailServer:
    """One that wants a login, and takes any while it is ``willing``."""

    def __init__(self) -> None:
        self.willing = True
        self.logins: list[tuple[bytes, bytes]] = []
        """All that were tried."""
        self.mails: list[Envelope] = []

    def authenticate(self, *arguments: Any) -> AuthResult:
        credentials = arguments[-1]
        assert isinstance(credentials, LoginPassword)
        self.logins.append((credentials.login, credentials.password))
        return AuthResult(success=self.willing)

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(envelope)
        return "250 OK"


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailServer, int]]:
    """And its port."""
    server, ports = MailServer(), Ports(tmp_path_factory.mktemp("mail") / "ports.json", {})
    ports.choose(["smtp"], {})
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=ports["smtp"],
        authenticator=server.authenticate,
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    yield server, ports["smtp"]
    controller.stop()
