"""Tells the operators' commands the settings of the stack that `make up` runs."""

import os
from collections.abc import Mapping
from pathlib import Path

from openmusic_kit.commands.settings import Given
from openmusic_local.configuration import from_environment, from_file, settings
from openmusic_local.settings import MANAGED
from openmusic_local.stack import Stack
from openmusic_operations.system import PROCESSES

MAKE_UP = "make up"


def environment(process: str) -> Mapping[str, Given]:
    """Of one process; nothing where there is no stack.

    Nothing either where the environment holds a secret of the process: then it names another installation.
    """
    chosen = settings()
    stack = Stack(Path(chosen["OPENMUSIC_DATA"]), chosen)
    if not stack.has_data or os.environ.keys() & set(PROCESSES[process].secrets):
        return {}
    return {name: Given(value, _source(name, value)) for name, value in stack.environment(process).items()}


def _source(name: str, value: str) -> str:
    if name not in MANAGED:
        for source, given in (("environment", from_environment()), (".env", from_file())):
            if given.get(name) == value:
                return source
    return MAKE_UP
