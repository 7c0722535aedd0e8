"""Makes the secrets of a compose installation, once, and gives each container its own ones only.

A secret that the environment names is taken; any other is random and stays what it is. What a container may read lies
in a directory of the group that only it (and this program, to hand it over) belongs to. A file whose content stays
the same is left alone: processes start again when theirs is newer than they are.

make_secrets.py          makes them
make_secrets.py restore  takes those of a backup from standard input instead of random ones
make_secrets.py wait     returns when this version's secrets are there
"""

import json
import os
import secrets
import sys
import time
from pathlib import Path

from openmusic_operations.system import PROCESSES, WITH_DATABASE

ROOT = Path("/secrets")
MEMORY = ROOT / "secrets.json"
GROUPS = {
    "postgres": 20001,
    "databases": 20002,
    "redis": 20003,
    "rabbitmq": 20004,
    "minio": 20005,
    **{process.service: process.group for process in PROCESSES.values()},
}
NAMES = (
    "POSTGRES_PASSWORD",
    *(f"{service.upper()}_PGPASSWORD" for service in WITH_DATABASE),
    "REDIS_PASSWORD",
    "RABBITMQ_PASSWORD",
    "S3_SECRET_KEY",
    "SERVICE_CREDENTIAL",
    *(name for process in PROCESSES.values() for name in process.own_secrets),
)
MADE = ROOT / "made"
"""Holds the names of the secrets that were handed out."""
PATIENCE = 60.0  # seconds
ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def choose() -> dict[str, str]:
    """All secrets by name; what was chosen before is kept."""
    return choose_from(json.loads(MEMORY.read_text()) if MEMORY.exists() else {})


def choose_from(known: dict[str, str]) -> dict[str, str]:
    chosen = {name: os.environ.get(name) or known.get(name) or secrets.token_urlsafe(24) for name in NAMES}
    for name, value in chosen.items():
        if not ALPHABET.issuperset(value):  # they stand in addresses and in several kinds of files
            raise SystemExit(f"{name} may only consist of letters, digits and - _ . ~")
    write(MEMORY, json.dumps(chosen, indent=2), 0o600)
    return chosen


def choose_restored() -> dict[str, str]:
    """As in the backup, above all the one secret that cannot be changed."""
    known: dict[str, str] = json.load(sys.stdin)
    if os.environ.get("SIGNING_KEY_SECRET") not in {None, "", known["SIGNING_KEY_SECRET"]}:
        raise SystemExit("SIGNING_KEY_SECRET in .env is not the one of the backup, whose signing keys it must open")
    return choose_from(known)


def files(chosen: dict[str, str]) -> dict[str, dict[str, str]]:
    """What each container gets: contents by file name."""
    passwords = {service: chosen[f"{service.upper()}_PGPASSWORD"] for service in WITH_DATABASE}
    shared = {**chosen, "RABBITMQ_SERVER": f"amqp://openmusic:{chosen['RABBITMQ_PASSWORD']}@rabbitmq:5672/"}
    settings = {
        process.service: {
            name: passwords[process.service] if name == "PGPASSWORD" else shared[name] for name in process.secrets
        }
        for process in PROCESSES.values()
    }
    return {
        "postgres": {"password": chosen["POSTGRES_PASSWORD"]},
        "databases": {"postgres": chosen["POSTGRES_PASSWORD"], **passwords},
        "redis": {"redis.conf": f"requirepass {chosen['REDIS_PASSWORD']}\n"},
        "rabbitmq": {
            "rabbitmq.conf": f"default_user = openmusic\ndefault_pass = {chosen['RABBITMQ_PASSWORD']}\n"
            "raft.wal_max_size_bytes = 64000000\n"  # up to three of these are in memory; 512 MB unless said
        },
        "minio": {"password": chosen["S3_SECRET_KEY"]},
        **{service: {".env": "".join(f"{k}={v}\n" for k, v in own.items())} for service, own in settings.items()},
    }


def write(path: Path, content: str, mode: int, group: int = -1) -> None:
    """Replaces the file at once: whoever reads meanwhile gets the old or the new one."""
    if path.exists() and path.read_text() == content:
        return
    new = path.with_name(path.name + ".new")
    new.touch(mode=0o600)
    new.write_text(content)
    os.chown(new, -1, group)
    new.chmod(mode)
    new.replace(path)


def wait() -> None:
    """Their maker is not a dependency of the containers that wait: compose would recreate all of them with it."""
    end = time.monotonic() + PATIENCE
    while not MADE.exists() or MADE.read_text().split() != list(NAMES):
        if time.monotonic() > end:
            raise SystemExit("There are no secrets yet; the container `bootstrap` makes them")
        time.sleep(0.1)


def main() -> None:
    if sys.argv[1:] == ["wait"]:
        return wait()
    chosen = choose_restored() if sys.argv[1:] == ["restore"] else choose()
    for container, contents in files(chosen).items():
        folder = ROOT / container
        folder.mkdir(mode=0o750, exist_ok=True)
        os.chown(folder, -1, GROUPS[container])
        for name, content in contents.items():
            write(folder / name, content, 0o640, GROUPS[container])
    write(MADE, "\n".join(NAMES), 0o644)


if __name__ == "__main__":
    main()
