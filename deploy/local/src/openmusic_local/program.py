"""One program of the stack: how it is started, and how to see that it is ready."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

_directly = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Program:
    """``ready`` returns whether it can be used now; it must not raise."""

    name: str
    command: list[str]
    folder: Path
    ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    group: bool = False
    """Whether its own children get the signals too."""


def port_open(port: int, send: bytes = b"", expect: bytes = b"") -> Callable[[], bool]:
    """Connects, sends, and looks for what the other side should say."""

    def check() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.settimeout(2)
                if send:
                    connection.sendall(send)
                return not expect or expect in connection.recv(4096)
        except OSError:
            return False

    return check


def answers(url: str) -> Callable[[], bool]:
    """Whether a GET is answered with 200."""

    def check() -> bool:
        try:
            with _directly.open(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, HTTPException):
            return False

    return check


def reachable(host: str) -> str:
    """Where to reach what listens on ``host``."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
