"""RabbitMQ as a private node, with an Erlang port mapper of its own so that none is left behind."""

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Protocol

from openmusic_local.errors import LocalError
from openmusic_local.program import Program, port_open

USER = "openmusic"
VHOSTS = ("/", "tests")
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_AMQP_GREETING = b"AMQP\x00\x00\x09\x01"


class PortOf(Protocol):
    def __getitem__(self, name: str) -> int: ...


def find_binary() -> str | None:
    """The script itself: Debian's wrapper on the PATH insists on root or the user rabbitmq."""
    return str(_PROGRAM) if _PROGRAM.exists() else shutil.which("rabbitmq-server")


def prepare(folder: Path, ports: PortOf, password: str) -> list[Program]:
    """The port mapper and the node, to be started in this order."""
    binary, mapper = find_binary(), shutil.which("epmd")
    if binary is None or mapper is None:
        raise LocalError("RabbitMQ is not installed: apt-get install rabbitmq-server")
    port = ports["rabbitmq"]
    environment = _environment(folder, ports)
    _write_configuration(folder, password)
    return [
        Program(
            "epmd",
            [mapper, "-port", str(ports["epmd"]), "-address", "127.0.0.1"],
            folder,
            port_open(ports["epmd"]),
            {"ERL_EPMD_RELAXED_COMMAND_CHECK": "1"},
        ),
        Program(
            "rabbitmq",
            [binary],
            folder,
            port_open(port, _AMQP_GREETING, b"AMQPLAIN"),
            environment,
            stop_seconds=30,
            group=True,
        ),
    ]


def url(port: int, password: str, vhost: str = "/") -> str:
    return f"amqp://{USER}:{password}@127.0.0.1:{port}/{'' if vhost == '/' else vhost}"


def _environment(folder: Path, ports: PortOf) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "RABBITMQ_NODENAME": "openmusic@localhost",  # its data is bound to the name, so the name knows no port
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(ports["rabbitmq"]),
        "RABBITMQ_DIST_PORT": str(ports["rabbitmq_dist"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": "data",  # where it is started: quorum queues note the path, and the folder may move
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


def _write_configuration(folder: Path, password: str) -> None:
    (folder / "enabled_plugins").write_text("[].\n")
    definitions = folder / "definitions.json"
    definitions.touch(mode=0o600)
    user = {"name": USER, "password_hash": _hashed(password), "hashing_algorithm": "rabbit_password_hashing_sha256"}
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    content = {
        "users": [{**user, "tags": "administrator"}],
        "vhosts": [{"name": vhost} for vhost in VHOSTS],
        "permissions": [{"user": USER, "vhost": vhost, **everything} for vhost in VHOSTS],
    }
    definitions.write_text(json.dumps(content))
    settings = [
        f"load_definitions = {definitions}",
        "log.console.level = warning",
        "disk_free_limit.absolute = 200MB",
        "raft.wal_max_size_bytes = 64000000",  # up to three of these are in memory; 512 MB unless said
    ]
    (folder / "rabbitmq.conf").write_text("\n".join(settings) + "\n")


def _hashed(password: str) -> str:
    """RabbitMQ's own form: base64 of a 4 byte salt and the SHA-256 of salt and password."""
    salt = hashlib.sha256(f"salt of {password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
