"""Makes the files of each process from the description of the system: ``python deploy/kubernetes/manifests.py``."""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Template

from openmusic_operations import system
from openmusic_operations.system import PROCESSES, SERVERS, SERVICES, WITH_DATABASE, Process

HERE = Path(__file__).parent
NOTE = "# Made by `make manifests`.\n"
DEVELOPMENT_SECRET = "development-only"  # noqa: S105 - refused in production
VERSION = (HERE.parents[1] / "VERSION").read_text().strip()


class Part(Template):
    """A text with ``@names`` in it."""

    delimiter = "@"


PARTS = {
    name: Part(text)
    for name, text in re.findall(r"^#: (\S+).*\n((?:(?!#: ).*\n)*)", (HERE / "parts.template").read_text(), re.M)
}


def files() -> dict[Path, str]:
    """The content of each generated file."""
    found = {HERE / "base" / "processes" / f"{each.container}.yaml": _process(each) for each in PROCESSES.values()}
    found[HERE / "base" / "processes" / "kustomization.yaml"] = _kustomization()
    found[HERE / "overlays" / "dev" / "secrets" / "kustomization.yaml"] = _secrets()
    found[HERE / "overlays" / "dev" / "databases.sql"] = "".join(map(_database, WITH_DATABASE))
    found[HERE / "overlays" / "production" / "secrets.yaml"] = NOTE + _documents(map(_external_secret, _services()))
    found[HERE / "overlays" / "production" / "images" / "kustomization.yaml"] = _images()
    return found


def _services() -> list[Process]:
    return [PROCESSES[name] for name in (system.GATEWAY, *SERVICES)]


def _fill(part: str, process: Process, **more: str) -> str:
    values = {"name": process.container, "image": process.folder, "secret": process.folder, "service": process.service}
    values["version"] = VERSION
    sizes = {"cpu": process.cpu, "memory": process.memory, "max_copies": str(process.max_copies)}
    return PARTS[part].substitute(values | sizes | more)


def _process(process: Process) -> str:
    arguments = "" if process.serves else f"\n          args: [{process.command}]"
    documents = [_fill("deployment", process, arguments=arguments)]
    if process.serves:
        # A headless service: every copy has an address, and the gateway takes turns between them.
        headless = "" if process.name == system.GATEWAY else "\n  clusterIP: None"
        documents.append(_fill("service", process, headless=headless))
    documents.append(_fill("disruption", process))
    documents.append(_fill("scaler", process) if process.serves else _queue_scaler(process))
    documents.append(_policy(process))
    if process.serves and process.has_database:
        documents.append(_fill("migration", process))
    return NOTE + _documents(documents)


def _queue_scaler(process: Process) -> str:
    """By the messages that wait in any of its queues."""
    triggers = (_fill("queue-trigger", process, queue=queue) for queue in process.consumes)
    return _fill("queue-scaler", process) + "".join(triggers)


def _policy(process: Process) -> str:
    text = _fill("policy", process, types="Ingress, Egress" if process.serves else "Egress")
    if process.serves:
        callers = [each for each in PROCESSES.values() if process.name in each.calls]
        text += "  ingress:\n" + _rule("from", callers)
    text += "  egress:\n"
    if process.calls:
        text += _rule("to", [PROCESSES[name] for name in process.calls])
    for server in process.needs:
        ports = "".join(f"        - {{port: {port}}}\n" for port in server.ports)
        text += f"    - ports: # {server.name}\n{ports}"
    return text


def _rule(side: str, peers: list[Process]) -> str:
    if not peers:  # from anywhere
        return "    - ports:\n        - {port: http}\n"
    selectors = "".join(
        f"        - podSelector: {{matchLabels: {{app.kubernetes.io/name: {peer.container}}}}}\n" for peer in peers
    )
    return f"    - {side}:\n{selectors}      ports:\n        - {{port: http}}\n"


def _kustomization() -> str:
    resources = "".join(f"  - {process.container}.yaml\n" for process in PROCESSES.values())
    addresses = "".join(f"      - {name.upper()}_URL=http://{system.folder_of(name)}:5000\n" for name in SERVICES)
    return NOTE + PARTS["kustomization"].substitute(resources=resources, addresses=addresses.rstrip())


def _secret(process: Process) -> str:
    values = {"RABBITMQ_SERVER": f"amqp://openmusic:{DEVELOPMENT_SECRET}@rabbitmq:5672/"}
    entries = "".join(f"      - {name}={values.get(name, DEVELOPMENT_SECRET)}\n" for name in process.secrets)
    return _fill("secret", process, entries=entries.rstrip())


def _secrets() -> str:
    return NOTE + PARTS["secrets"].substitute(secrets="".join(map(_secret, _services())).rstrip())


def _external_secret(process: Process) -> str:
    names = [*process.secrets, *(["SMTP_USER", "SMTP_PASSWORD"] if _sends_mail(process) else [])]
    entries = (
        f"    - {{secretKey: {name}, remoteRef: {{key: openmusic/{process.folder}, property: {name}}}}}\n"
        for name in names
    )
    return _fill("external-secret", process, entries="".join(entries).rstrip())


def _sends_mail(process: Process) -> bool:
    """Its own or another process of its service."""
    return any(each.service == process.service and SERVERS["mail"] in each.needs for each in PROCESSES.values())


def _database(service: str) -> str:
    name = PROCESSES[service].database
    return (
        f"CREATE ROLE {name} LOGIN PASSWORD '{DEVELOPMENT_SECRET}';\n"
        f"CREATE DATABASE {name} OWNER {name};\n"
        f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;\n"
    )


def _images() -> str:
    entries = "".join(
        f"  - name: openmusic/{process.folder}\n    newName: {system.REGISTRY}/{process.folder}\n"
        for process in _services()
    )
    return f"{NOTE}apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n{entries}"


def _documents(documents: Iterator[str] | list[str]) -> str:
    return "---\n".join(documents)


def main() -> None:
    for path, content in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main()
