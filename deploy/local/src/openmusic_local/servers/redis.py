"""Redis, as a cache and nothing else: it writes nothing to disk."""

import shutil
from pathlib import Path

from openmusic_local.errors import LocalError
from openmusic_local.program import Program, port_open


def prepare(folder: Path, port: int) -> Program:
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        raise LocalError("Redis is not installed: apt-get install redis-server")
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no", "--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru"]
    return Program("redis", command, folder, port_open(port, b"PING\r\n", b"+PONG"))
