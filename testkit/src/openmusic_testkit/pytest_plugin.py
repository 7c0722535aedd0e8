"""Tests run on the event loop that the processes run on, and end with a table of the interleavings that were tried."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import uvloop

from openmusic_testkit.interleavings import RUNS, Run


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop fails in other ways than asyncio's own loop, for one when a connection that was lost is written to."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - as pytest-xdist calls it
    RUNS.extend(Run(**each) for each in getattr(node, "workeroutput", {}).get("interleavings", []))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["interleavings"] = [asdict(each) for each in RUNS]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not RUNS:
        return
    terminalreporter.section("interleavings")
    for run in sorted(RUNS, key=lambda each: each.piece):
        rate = run.interleavings / max(run.seconds, 0.001)
        terminalreporter.line(f"{run.piece:45} {run.interleavings:7} tried  {run.steps:9} steps  {rate:7.0f} a second")
