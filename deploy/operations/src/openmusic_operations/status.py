"""``openmusic status``: which processes are ready, and what the others miss."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import aiohttp
import typer

from openmusic_kit.commands.output import Json, show
from openmusic_operations.config import ProcessNames
from openmusic_operations.processes import Configured, configured, processes_here

TIMEOUT = aiohttp.ClientTimeout(total=6)
"""Of one answer; a process gives its own checks two seconds."""


@dataclass(frozen=True)
class ProcessStatus:
    process: str
    state: Literal["ready", "degraded", "not ready", "down"]
    address: str
    missing: tuple[str, ...]


def status(process: ProcessNames = None, as_json: Json = False) -> None:
    """Shows which processes are ready, and which servers they miss.

    From a container, shows its own process and the services that it calls; the gateway's calls all of them. The exit
    code is 1 unless all are ready.
    """
    found = asyncio.run(statuses([configured(each) for each in processes_here(process or ())]))
    show(found, as_json, "No process is known here.")
    if any(each.state in {"not ready", "down"} for each in found):
        raise typer.Exit(1)


async def statuses(processes: list[Configured]) -> list[ProcessStatus]:
    addresses = _addresses(processes)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        return list(await asyncio.gather(*(_ask(session, *each) for each in addresses)))


def _addresses(processes: list[Configured]) -> list[tuple[str, str]]:
    """Of the processes, then of those that they call."""
    own = {each.process.name: f"http://{_reachable(each.settings.host)}:{each.settings.port}" for each in processes}
    found = list(own.items())
    called = {service: each.settings for each in processes for service in each.process.calls if service not in own}
    for service, settings in called.items():
        urls: str = getattr(settings, f"{service}_url")
        found += [(service, url.strip().rstrip("/")) for url in urls.split(",")]
    return found


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound


async def _ask(session: aiohttp.ClientSession, name: str, address: str) -> ProcessStatus:
    try:
        async with session.get(f"{address}/health/ready") as answer:
            dependencies: dict[str, str] = (await answer.json())["data"]["dependencies"]
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, LookupError):
        return ProcessStatus(name, "down", address, ())
    missing = tuple(_down(dependencies.items()))
    if answer.status != 200:
        return ProcessStatus(name, "not ready", address, missing)
    return ProcessStatus(name, "degraded" if missing else "ready", address, missing)


def _down(dependencies: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (name for name, state in dependencies if state != "up")
