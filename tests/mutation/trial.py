"""Runs the tests of a part against a copy of its source, in a process that was forked when all libraries were imported.

The copy stands first on the path of imports, of this process and of all that the tests start.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import coverage
import pytest
from covering import ELSEWHERE
from mutants import Mutant, Part

from openmusic_local import pytest_plugin
from openmusic_local.stack import Stack

_LIBRARIES = (
    *("aio_pika", "aiohttp.web", "aiosmtplib", "aiosmtpd.smtp", "fastapi", "faststream.rabbit", "httpx", "hypothesis"),
    *("jsonschema", "jwt", "minio", "psycopg_pool", "pydantic_settings", "redis.asyncio", "uvicorn", "uvloop", "yoyo"),
    *("PIL.Image", "argon2", "pytest_asyncio", "pytest_timeout", "schemathesis"),
)


def import_libraries() -> None:
    """What each trial would import anew; nothing of ours that can have a mutant."""
    for name in _LIBRARIES:
        with suppress(ImportError):
            import_module(name)


SERVERS = ("postgres", "redis", "rabbitmq", "objectstore")


@dataclass
class Trial:
    """A running process of tests. ``outcome`` is None until it has ended."""

    pid: int
    log: Path
    deadline: float
    outcome: str | None = None

    def poll(self) -> None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.outcome = {0: "survived", 5: "untested"}.get(os.waitstatus_to_exitcode(status), "noticed")
        elif time.monotonic() > self.deadline:
            self.outcome = "timeout"
        if self.outcome:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # whatever the tests left, too
            if self.outcome == "timeout":
                os.waitpid(self.pid, 0)

    def noticed_by(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.startswith(("FAILED ", "ERROR "))), "")[:300]


class Bench:
    """A copy of the source and servers of its own, for one trial at a time."""

    def __init__(self, part: Part, folder: Path, stack: Stack) -> None:
        self._part = part
        self._folder = folder
        self._stack = stack
        self._changed: Path | None = None
        self._tick = 0
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(part.source, self.source, ignore=shutil.ignore_patterns("__pycache__"))

    @property
    def source(self) -> Path:
        return self._folder / "src" / self._part.package

    @property
    def recorded(self) -> Path:
        return self._folder / "coverage"

    def start(self, mutant: Mutant | None, tests: Collection[str], seconds: float) -> Trial:
        """Without a mutant, records which tests run which lines."""
        self._heal()
        if mutant:
            self._change(mutant)
        log = self._folder / "log"
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = self._run(log, tests, record=mutant is None)
            finally:
                os._exit(code)
        return Trial(pid, log, time.monotonic() + seconds)

    def _heal(self) -> None:
        """Servers run again that the last trial stopped, or left stopped when it was ended."""
        for name, pid in self._stack.pids().items():
            if name in SERVERS:
                with suppress(ProcessLookupError):
                    os.killpg(os.getpgid(pid), signal.SIGCONT)
        self._stack.start_servers(*SERVERS)

    def _change(self, mutant: Mutant) -> None:
        if self._changed:
            self._write(self._changed, (self._part.source / self._changed).read_text())
        self._write(Path(mutant.module), mutant.code or "")
        self._changed = Path(mutant.module)

    def _write(self, module: Path, code: str) -> None:
        path = self.source / module
        path.write_text(code)
        self._tick += 1  # compiled modules are known by the whole seconds of their source's time
        os.utime(path, (self._tick, self._tick))

    def _run(self, log: Path, tests: Collection[str], record: bool) -> int:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for name in [name for name in sys.modules if _has_mutants(name)]:
            del sys.modules[name]  # the local stack knows the settings of all
        sys.path.insert(0, str(self._folder / "src"))
        os.environ["PYTHONPATH"] = str(self._folder / "src")
        pytest_plugin.running_stack = self._stack
        files = sorted({test.split("::")[0] for test in tests}) or [str(self._part.tests)]
        plugins: list[Any] = [Selection(tests)]
        if record:
            plugins.append(Recorder(self._part, self._folder))
        stop = [] if record else ["-x"]
        options = ["-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-p", "no:schemathesis", *stop]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the libraries were imported before
        return int(pytest.main([*options, *files], plugins=plugins))


def _has_mutants(module: str) -> bool:
    package = module.partition(".")[0]
    return package.startswith("openmusic_") and package not in {"openmusic_local", "openmusic_testkit"}


class Selection:
    """Runs the named tests only, files with the quickest first."""

    def __init__(self, tests: Collection[str]) -> None:
        self._order = {test: number for number, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if not self._order:
            return
        items[:] = [item for item in items if item.nodeid in self._order]
        first: dict[Path, int] = {}
        for item in items:
            first[item.path] = min(first.get(item.path, len(self._order)), self._order[item.nodeid])
        items.sort(key=lambda item: first[item.path])


class Recorder:
    """Writes which lines run for which test, and how long each test that succeeds takes."""

    def __init__(self, part: Part, folder: Path) -> None:
        self.seconds: dict[str, float] = {}
        self._folder = folder
        settings = folder / "settings.ini"
        source = folder / "src" / part.package
        data = folder / "coverage"
        settings.write_text(  # coverage looks for it wherever Python starts
            f"[run]\nparallel = true\ndata_file = {data}\ninclude = {source}/*\ncontext = {ELSEWHERE}\nsigterm = true\n"
        )
        os.environ["COVERAGE_PROCESS_START"] = str(settings)
        self._coverage = coverage.Coverage(str(data), include=[f"{source}/*"], config_file=False)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self._coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == "passed":
            self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        else:
            self.seconds[report.nodeid] = float("inf")

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
        lines = [f"{seconds} {test}\n" for test, seconds in self.seconds.items() if seconds != float("inf")]
        (self._folder / "seconds").write_text("".join(lines))
