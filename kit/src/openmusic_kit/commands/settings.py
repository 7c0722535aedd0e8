"""The settings of a process that runs, as an operator's command finds them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values
from pydantic_settings import BaseSettings

PROVIDERS = "openmusic.environments"
"""The group of entry points that name a ``Provider``."""

S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True)
class Given:
    """The text of a setting, and where it stands."""

    value: str
    source: str


Provider = Callable[[str], Mapping[str, Given]]
"""Takes the name of a process. Returns the settings that it is given, or none if it is not run from here."""


def provided(process: str) -> Mapping[str, Given]:
    """What a provider knows of the process."""
    for point in entry_points(group=PROVIDERS):
        provider: Provider = point.load()
        if found := provider(process):
            return found
    return {}


def environment_of(process: str) -> Mapping[str, Given]:
    """By the names of environment variables. Without a provider, what a process that starts here would read."""
    return provided(process) or _own_environment()


def _own_environment() -> Mapping[str, Given]:
    from_file = {name: Given(value, ".env") for name, value in dotenv_values(Path(".env")).items() if value}
    return {**from_file, **{name: Given(value, "environment") for name, value in os.environ.items() if value}}


def settings_of(process: str, kind: type[S]) -> S:
    """Raises ValidationError."""
    return parse(kind, environment_of(process))


def parse(kind: type[S], environment: Mapping[str, Given]) -> S:
    """Raises ValidationError."""
    known = {name.upper(): name for name in kind.model_fields}
    given: dict[str, Any] = {known[name]: each.value for name, each in environment.items() if name in known}
    # The prefix hides this process's own environment, so that only what is given counts.
    return kind(_env_file=None, _env_prefix="hidden ", **given)
