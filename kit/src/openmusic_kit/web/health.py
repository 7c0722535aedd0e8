"""Liveness and readiness. Ready is refused only for what the service cannot work without."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from openmusic_kit import tasks

logger = logging.getLogger(__name__)

CHECK_TIMEOUT = 2.0  # seconds; a dependency slower than this is as good as missing

Check = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class HardCheck:
    """Raises when a dependency is missing without which nothing works."""

    check: Check


@dataclass(frozen=True)
class SoftCheck:
    """Raises when a dependency is missing without which most still works."""

    check: Check


@dataclass(frozen=True)
class Report:
    ready: bool
    dependencies: dict[str, str]

    @property
    def missing(self) -> list[str]:
        return [name for name, state in self.dependencies.items() if state != "up"]


@dataclass(frozen=True)
class Health:
    checks: Mapping[str, HardCheck | SoftCheck] = field(default_factory=dict)

    async def report(self) -> Report:
        states = await asyncio.gather(*(self._state(name, each.check) for name, each in self.checks.items()))
        dependencies = dict(zip(self.checks, states, strict=True))
        ready = all(dependencies[name] == "up" for name, each in self.checks.items() if isinstance(each, HardCheck))
        return Report(ready, dependencies)

    async def _state(self, name: str, check: Check) -> str:
        checking = asyncio.ensure_future(check())
        checking.add_done_callback(tasks.mark_seen)
        try:
            if not (await asyncio.wait([checking], timeout=CHECK_TIMEOUT))[0]:
                error: BaseException | None = TimeoutError()
            else:
                error = asyncio.CancelledError() if checking.cancelled() else checking.exception()
        finally:
            checking.cancel()  # but some libraries take their time to end
        if error:
            logger.warning("dependency is missing", extra={"dependency": name, "error": repr(error)})
        return "down" if error else "up"
