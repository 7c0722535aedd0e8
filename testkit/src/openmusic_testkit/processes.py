"""Starts Python programs in processes of their own, without importing everything again for each."""

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Done:
    """What a program left behind."""

    code: int | None
    out: str
    err: str


class Starter:
    """Starts ``python -m module`` by forking a server that has imported ``preload`` already.

    Python has one such server, so all starters must exist before the first of them starts anything.
    """

    _preloaded: ClassVar[list[str]] = []

    def __init__(self, module: str, preload: Sequence[str]) -> None:
        self._module = module
        self._preloaded.extend(preload)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(self._preloaded)

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        out: str = os.devnull,
        err: str | None = None,
    ) -> ForkServerProcess:
        """The environment is all that the program gets; what it prints goes to these files."""
        given = (self._module, [*arguments], dict(environment), out, err)
        process = self._context.Process(target=_run, args=given)
        process.start()
        return process

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Done:
        """Waits until the program has ended."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            process = self.start(arguments, environment, str(out), str(err))
            process.join()
            return Done(process.exitcode, out.read_text(), err.read_text())


def _run(module: str, arguments: list[str], environment: dict[str, str], out: str, err: str | None) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        if path is not None:
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), stream.fileno())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
