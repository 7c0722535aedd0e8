"""Ports: the preferred one if it is free, else another, remembered in the data folder so that it stays the same."""

import json
import random
import socket
from pathlib import Path

RANGE = range(20000, 32000)  # below 32768, where the kernel begins to hand out ports for outgoing connections


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class Ports:
    """Names to ports. ``preferred`` are used where they are free; any other name gets a free port."""

    def __init__(self, memory: Path, preferred: dict[str, int]) -> None:
        self._memory = memory
        self._preferred = preferred
        self._ports: dict[str, int] = json.loads(memory.read_text()) if memory.exists() else {}

    def choose(self, names: list[str]) -> None:
        """Decides on a port for each name; to be called while nothing of ours is running."""
        for name in names:
            wanted = self._ports.get(name) or self._preferred.get(name)
            if wanted is None or not is_free(wanted):
                wanted = self._any_free()
            self._ports[name] = wanted
        self._memory.write_text(json.dumps(self._ports, indent=2))

    def __getitem__(self, name: str) -> int:
        return self._ports[name]

    def _any_free(self) -> int:
        taken = set(self._ports.values()) | set(self._preferred.values())
        for port in random.sample(RANGE, len(RANGE)):
            if port not in taken and is_free(port):
                return port
        raise RuntimeError("No port is free")
