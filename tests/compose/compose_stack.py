"""The stack of compose.yaml on ports and volumes of its own: what an operator does with it, and a look inside."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from openmusic_local.settings import UNLIMITED

ROOT = Path(__file__).parents[2]
PROJECT = "openmusic-e2e"
GATEWAYS = ("http://127.0.0.1:15000",) * 2  # two connections: the proxy leads them to two gateways
MAIL_PAGE = "http://127.0.0.1:15080"
SCALE = {
    **dict.fromkeys(("gateway", "auth-service", "catalog-service", "media-service", "export-service"), 2),
    **{"playlist-service": 3, "export-worker": 3},
}
SETTINGS = {
    **UNLIMITED,  # all users of these tests come from one address
    "COMPOSE_PROJECT_NAME": PROJECT,
    "PORT": "15000",
    "PUBLIC_URL": GATEWAYS[0],
    "MAIL_PORT": "15080",
    "SMTP_REPLY_TIMEOUT": "10",  # a mail that is in doubt comes again soon enough to be waited for
    "EXPORT_REPEAT_AFTER": "20",
}
PICTURE = Path(__file__).with_name("cover.png").read_bytes()
RECOVERY = 30.0  # seconds after which everything must be healthy again


@dataclass
class Compose:
    """What an operator does, and a look inside."""

    docker: Any
    scale: dict[str, int] = field(default_factory=lambda: dict(SCALE))

    def run(self, *arguments: str, **environment: str) -> str:
        return self._call("docker", "compose", *arguments, **environment)

    def script(self, name: str, *arguments: str) -> str:
        """Runs one of deploy/containers."""
        return self._call(str(ROOT / "deploy" / "containers" / name), *arguments)

    def failing_script(self, name: str, *arguments: str) -> str:
        """Runs one that has to fail; gives what it said."""
        done = self._run(str(ROOT / "deploy" / "containers" / name), *arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def openmusic(self, service: str, *arguments: str) -> str:
        """The operators' command line, as it is in the image of that service."""
        return self.run("exec", "-T", service, "openmusic", *arguments)

    def _call(self, *command: str, **environment: str) -> str:
        done = self._run(*command, **environment)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stderr[-4000:]}"
        return done.stdout

    def _run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        around = {**os.environ, **SETTINGS, **environment}
        return subprocess.run(command, cwd=ROOT, env=around, input="", capture_output=True, text=True, check=False)

    def state(self) -> dict[str, str]:
        """When each container of this stack that runs was started, by its id."""
        return {each.id: each.attrs["State"]["StartedAt"] for each in self.containers()}

    def secrets(self) -> str:
        return self.run("run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "bootstrap", "/secrets/secrets.json")

    def up(self, **settings: str) -> None:
        self.run("up", "--wait", *(f"--scale={name}={number}" for name, number in self.scale.items()), **settings)

    def containers(self, service: str | None = None, *, stopped: bool = False) -> list[Container]:
        labels = [f"com.docker.compose.project={PROJECT}"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        return list(self.docker.containers.list(all=stopped, filters={"label": labels}))

    def healthy(self) -> bool:
        """Whether every container that should run does, and says that it is well."""
        found = self.containers(stopped=True)
        lasting = [each for each in found if each.attrs["HostConfig"]["RestartPolicy"]["Name"] != "no"]
        return all(each.attrs["State"].get("Health", {}).get("Status") == "healthy" for each in lasting)

    @contextmanager
    def outside_the_network(self, container: Container) -> Iterator[None]:
        network = self.docker.networks.get(f"{PROJECT}_internal")
        aliases = container.attrs["NetworkSettings"]["Networks"][network.name]["Aliases"]
        network.disconnect(container)
        yield
        network.connect(container, aliases=aliases)
