"""Which promises a run of ``tests/e2e`` found kept, broken or not tried.

A promise is a test function: its name is the sentence, and its cases must all pass.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest

LONGEST_REASON = 110  # characters


class NotTried(AssertionError):
    """What a test needs could not be had. That it can be had is a promise with a test of its own."""


@dataclass
class Promise:
    heading: str
    sentence: str
    held: int = 0
    broken: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    """Reasons, by case."""

    @property
    def verdict(self) -> str:
        if self.broken:
            return "BROKEN"
        return "holds" if self.held else "not tried"

    def lines(self) -> Iterable[str]:
        reason = f": {self.not_tried[0]}" if self.verdict == "not tried" and self.not_tried else ""
        partly = f" ({self.held} of {self.held + len(self.not_tried)} cases tried)" if self._is_partly_held else ""
        yield f"  {self.verdict:10} {self.sentence}{partly}{reason}"
        yield from (f"{'':15}{each}" for each in self.broken)

    @property
    def _is_partly_held(self) -> bool:
        return self.verdict == "holds" and bool(self.not_tried)


class Recorder:
    """A plugin of pytest that keeps the verdicts."""

    def __init__(self) -> None:
        self._promises: dict[str, Promise] = {}

    @property
    def broken(self) -> list[Promise]:
        return [each for each in self._promises.values() if each.verdict == "BROKEN"]

    @property
    def held(self) -> list[Promise]:
        return [each for each in self._promises.values() if each.verdict == "holds"]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Function]) -> None:
        """Leaves out the tests that ask the installation nothing."""
        asking = [item for item in items if "url" in item.fixturenames]
        config.hook.pytest_deselected(items=[item for item in items if item not in asking])
        items[:] = asking
        for item in items:
            heading = (item.module.__doc__ or item.module.__name__).strip().partition("\n")[0].rstrip(".")
            sentence = item.originalname.removeprefix("test_").replace("_", " ")
            self._promises.setdefault(_promise_of(item.nodeid), Promise(heading, sentence))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and call.excinfo.errisinstance(NotTried):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: {call.excinfo.value}")
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        promise = self._promises[_promise_of(report.nodeid)]
        if report.failed:
            promise.broken.append(f"{_case_of(report.nodeid)}{_reason(report.longrepr)}")
        elif report.skipped:
            promise.not_tried.append(_shortened(str(report.longrepr[2]).removeprefix("Skipped: ")))  # type: ignore[index]
        elif report.when == "call":
            promise.held += 1

    def table(self) -> str:
        lines = []
        for heading, promises in groupby(self._promises.values(), key=lambda promise: promise.heading):
            lines += ["", heading, *(line for promise in promises for line in promise.lines())]
        not_tried = len(self._promises) - len(self.held) - len(self.broken)
        return "\n".join([*lines, "", f"{len(self.held)} hold, {len(self.broken)} broken, {not_tried} not tried"])


def _promise_of(nodeid: str) -> str:
    return nodeid.partition("[")[0]


def _case_of(nodeid: str) -> str:
    case = nodeid.partition("[")[2].removesuffix("]")
    return f"{case}: " if case else ""


def _reason(longrepr: Any) -> str:
    """What was compared, or else the first line of the error."""
    crash = getattr(longrepr, "reprcrash", None)
    lines = (crash.message if crash else str(longrepr)).splitlines()
    return _shortened(next((line for line in lines if line.startswith("assert ")), lines[0] if lines else ""))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"
