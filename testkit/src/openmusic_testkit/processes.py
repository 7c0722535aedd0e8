"""Starts Python programs in processes of their own, without importing everything again for each."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess


class Starter:
    """Starts ``python -m module`` by forking a server that has imported ``preload`` already."""

    def __init__(self, module: str, preload: Sequence[str]) -> None:
        self._module = module
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*preload])

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> ForkServerProcess:
        """The environment is all that the program gets; what it prints is dropped."""
        process = self._context.Process(target=_run, args=(self._module, [*arguments], dict(environment)))
        process.start()
        return process


def _run(module: str, arguments: list[str], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
