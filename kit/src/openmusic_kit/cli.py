"""The command line of a service: ``openmusic-<service> serve | migrate | ...``."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import uvicorn
from pydantic import ValidationError

from openmusic_kit.errors import ServiceError
from openmusic_kit.logs import configure_logging
from openmusic_kit.memory import tune_malloc
from openmusic_kit.settings import ServiceSettings, problems
from openmusic_kit.version import VERSION
from openmusic_kit.web.protocol import bounded
from openmusic_kit.web.workers import serve_in_workers

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=ServiceSettings)

KEEP_ALIVE = 75  # seconds that a server keeps an idle connection; clients of ours derive a shorter time from it


@dataclass(frozen=True)
class Command(Generic[S]):
    """``run`` gets the ``settings`` of the environment. It may be a coroutine function."""

    settings: Callable[[], S]
    run: Callable[[S], object]


def run_cli(name: str, commands: Mapping[str, Command[Any]]) -> None:
    """Runs one of ``commands``; refuses to start with settings that are wrong.

    A name may have several words. A ServiceError ends a command with its message.
    """
    parser = argparse.ArgumentParser(prog=f"openmusic-{name}")
    parser.add_argument("command", nargs="+", help=" | ".join(commands))
    command = " ".join(parser.parse_args().command)
    if command not in commands:
        parser.error(f"there is no {command}; there are {', '.join(commands)}")
    try:
        settings = commands[command].settings()
    except ValidationError as error:
        sys.exit(f"openmusic-{name}: the settings are not usable: {'; '.join(problems(error))}")
    configure_logging(name if command == "serve" else f"{name}-{command.replace(' ', '-')}", settings.log_level)
    try:
        done = commands[command].run(settings)
        if isinstance(done, Coroutine):
            asyncio.run(done)
    except ServiceError as error:
        sys.exit(f"openmusic-{name}: {error}")


def serve(
    app: str | Callable[..., object], settings: ServiceSettings, *, announced: bool = False, workers: int = 1
) -> None:
    """Serves until SIGTERM or SIGINT, then lets the requests in flight finish. ``announced``: see `bounded`."""
    tune_malloc()
    logger.info("starting", extra={"version": VERSION})
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": bounded(2 * settings.header_limit, body_timeout=2 * settings.body_timeout, announced=announced),
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": int(settings.shutdown_grace),
    }
    if workers == 1:
        uvicorn.run(app, **options)
    else:
        serve_in_workers(uvicorn.Config(app, **options), workers)
