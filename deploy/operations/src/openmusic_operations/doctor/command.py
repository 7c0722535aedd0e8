import asyncio
from contextlib import suppress
from typing import Annotated

import typer
from pydantic import ValidationError

from openmusic_kit.commands.output import Json, show
from openmusic_operations import config
from openmusic_operations.config import ProcessNames
from openmusic_operations.doctor import cache, databases, machine, mail, queues
from openmusic_operations.doctor.findings import Finding, ok, problem, warning
from openmusic_operations.processes import Configured, configured, processes_here
from openmusic_operations.status import ProcessStatus, statuses
from openmusic_operations.system import PROCESSES, Process

WORST_FIRST = ("problem", "warning", "ok")


def doctor(
    process: ProcessNames = None,
    copies: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROCESS=NUMBER|max", help="How many run, for the connections; `max` is that of Kubernetes."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Shows what is well, too.")] = False,
    as_json: Json = False,
) -> None:
    """Shows what is wrong and what to do: processes, settings, databases, Redis, RabbitMQ, mail, clocks and disks.

    It changes nothing. The exit code is 1 if there is a problem, and 0 if there are only warnings.
    """
    found = asyncio.run(examine(processes_here(process or ()), _copies(copies or [])))
    found.sort(key=lambda each: WORST_FIRST.index(each.state))
    show(
        [each for each in found if every or as_json or each.state != "ok"],
        as_json,
        f"All is well: {len(found)} checks.",
    )
    if any(each.state == "problem" for each in found):
        raise typer.Exit(1)


async def examine(processes: list[Process], copies: dict[str, int]) -> list[Finding]:
    usable, found = _configured(processes)
    found += map(_process, await statuses(usable))
    with_database = [each for each in usable if each.process.has_database]
    for each in _distinct(with_database, "pgdatabase"):
        found += await asyncio.to_thread(databases.examine, each)
    for each in _distinct(with_database, "pghost", "pgport"):
        wanted = databases.wanted_connections(with_database, copies)
        found += await asyncio.to_thread(databases.examine_connections, each, wanted)
    for examine_server, settings in (
        (cache.examine, ("redis_server", "redis_port")),
        (queues.examine, ("rabbitmq_server",)),
        (mail.examine, ("smtp_host", "smtp_port")),
    ):
        for each in _distinct(usable, *settings):
            found += await examine_server(each)
    return found + machine.examine(usable)


def _configured(processes: list[Process]) -> tuple[list[Configured], list[Finding]]:
    """Those with settings that can be used, and what is wrong with the others."""
    wrong = config.report(processes).problems
    remedy = "Correct it where `openmusic config check` says that it stands, then start the process again."
    found = [problem("settings", each, remedy) for each in wrong] or [ok("settings", "can be used")]
    usable = []
    for process in processes:
        with suppress(ValidationError):
            usable.append(configured(process))
    return usable, found


def _process(status: ProcessStatus) -> Finding:
    subject = f"process {status.process}"
    missing = ", ".join(status.missing)
    match status.state:
        case "ready":
            return ok(subject, "is ready")
        case "degraded":
            return warning(subject, f"works without {missing}", f"Start {missing}, or see the log of {status.process}.")
        case "not ready":
            return problem(subject, f"misses {missing}", f"Start {missing}, or see the log of {status.process}.")
        case "down":
            remedy = "Start it (`make up`, `docker compose up`); the end of its log says why it ended."
            return problem(subject, f"does not answer at {status.address}", remedy)


def _distinct(processes: list[Configured], *settings: str) -> list[Configured]:
    """The first of those with the same values; only those that have such settings."""
    found: dict[tuple[str, ...], Configured] = {}
    for each in processes:
        if hasattr(each.settings, settings[0]):
            found.setdefault(tuple(str(getattr(each.settings, name)) for name in settings), each)
    return list(found.values())


def _copies(options: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for option in options:
        name, _, number = option.partition("=")
        if option == "max":
            found |= {each.name: each.max_copies for each in PROCESSES.values()}
        elif name in PROCESSES and number.isdecimal():
            found[name] = int(number)
        else:
            raise typer.BadParameter(f"--copies takes max, or one of {', '.join(PROCESSES)} with a number: {option}")
    return found
