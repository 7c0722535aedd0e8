"""``openmusic config check``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from openmusic_kit.commands.output import Json, group, show, show_data
from openmusic_kit.commands.settings import Given, environment_of, parse
from openmusic_kit.settings import ServiceSettings, problems
from openmusic_operations.processes import nearest, processes_here, settings_class
from openmusic_operations.system import Process

MASK = "***"
DEFAULT = "default"

ProcessNames = Annotated[
    list[str] | None, typer.Option("--process", help="Only this one; may be repeated. In a container, its own.")
]

app = group("The settings of each process.")


@dataclass(frozen=True)
class Setting:
    process: str
    setting: str
    value: str
    source: str


@dataclass(frozen=True)
class Report:
    settings: list[Setting]
    problems: list[str]


@app.callback()
def config() -> None:
    """The settings of each process."""


@app.command()
def check(
    process: ProcessNames = None,
    given: Annotated[bool, typer.Option("--given", help="Leaves out what has its default.")] = False,
    as_json: Json = False,
) -> None:
    """Shows all settings of each process and where each came from, and what is wrong with them.

    Secrets are masked. The exit code is 1 if a process would not start.
    """
    found = report(processes_here(process or ()))
    settings = [each for each in found.settings if not given or each.source != DEFAULT]
    if as_json:
        show_data(Report(settings, found.problems))
    else:
        show(settings, as_json, "All settings have their defaults.")
        for problem in found.problems:
            typer.echo(problem, err=True)
    if found.problems:
        raise typer.Exit(1)


def report(processes: list[Process]) -> Report:
    settings, wrong, known = [], [], set[str]()
    for process in processes:
        kind, environment = settings_class(process), environment_of(process.name)
        known |= {name.upper() for name in kind.model_fields}
        settings += [_setting(process, kind, name, environment) for name in kind.model_fields]
        try:
            parse(kind, environment)
        except ValidationError as error:
            wrong += [f"{process.name}: {problem}" for problem in problems(error)]
    return Report(settings, wrong + _misspelled(known))


def _setting(process: Process, kind: type[ServiceSettings], name: str, environment: Mapping[str, Given]) -> Setting:
    given = environment.get(name.upper())
    default = kind.model_fields[name].default
    value = given.value if given else "" if default is None else str(default)
    secret = "SecretStr" in str(kind.model_fields[name].annotation) or isinstance(default, SecretStr)
    return Setting(process.name, name.upper(), MASK if secret and value else value, given.source if given else DEFAULT)


def _misspelled(known: set[str]) -> list[str]:
    names = dotenv_values(Path(".env")).keys() - known
    return [f"{name} in .env is no setting: is it {like}?" for name in sorted(names) if (like := nearest(name, known))]
