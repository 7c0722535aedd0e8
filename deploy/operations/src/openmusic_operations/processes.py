"""The processes whose settings can be read from here: all of them with ``make up``, its own in a container."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec

import typer

from openmusic_kit.commands.settings import environment_of, parse, provided
from openmusic_kit.settings import ServiceSettings
from openmusic_operations.system import PROCESSES, Process

SIMILARITY = 0.8
"""From which ratio on (``difflib``) an unknown name counts as a misspelling: SMTP_PASS does, DB_HOST does not."""


@dataclass(frozen=True)
class Configured:
    process: Process
    settings: ServiceSettings


def settings_class(process: Process) -> type[ServiceSettings]:
    """``Settings`` of the service's package; another command than ``serve`` has its own, such as ``WorkerSettings``."""
    name = "Settings" if process.serves else f"{process.command.title()}Settings"
    found: type[ServiceSettings] = getattr(importlib.import_module(f"{process.package}.settings"), name)
    return found


def processes_here(names: Iterable[str] = ()) -> list[Process]:
    """Those of the names, or all. A container does not say that it runs a worker, so that one must be named there."""
    installed = {name: process for name, process in PROCESSES.items() if find_spec(process.package)}
    for name in names:
        if name not in installed:
            raise typer.BadParameter(f"there is no process {name} here; there are {', '.join(installed)}")
    chosen = [installed[name] for name in names]
    return chosen or [each for each in installed.values() if each.serves or provided(each.name)]


def configured(process: Process) -> Configured:
    """Raises ValidationError."""
    return Configured(process, parse(settings_class(process), environment_of(process.name)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The setting that an unknown name probably stands for."""
    return next(iter(get_close_matches(name.upper(), sorted(known), 1, SIMILARITY)), None)
