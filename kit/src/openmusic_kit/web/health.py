"""Liveness and readiness. Ready is refused only for what the service cannot work without."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from openmusic_kit import tasks

logger = logging.getLogger(__name__)

CHECK_TIMEOUT = 2.0  # seconds; a dependency slower than this is as good as missing

LOGIN_INTERVAL = 30.0  # seconds between two logins that succeed

Check = Callable[[], Awaitable[None]]


class LoginCheck:
    """Raises when a new connection cannot be made, which open ones do not notice: a password was changed, say.

    ``log_in`` makes one and closes it. After a success it is not called again for ``LOGIN_INTERVAL`` seconds.
    """

    def __init__(self, log_in: Check, now: Callable[[], float] = time.monotonic) -> None:
        self._log_in = log_in
        self._now = now
        self._due = -math.inf

    async def __call__(self) -> None:
        if self._now() >= self._due:
            await self._log_in()
            self._due = self._now() + LOGIN_INTERVAL


@dataclass(frozen=True)
class HardCheck:
    """Raises when a dependency is missing without which nothing works."""

    check: Check
    login: Check | None = None
    """Raises when new connections fail. The dependency is then down, but the service is ready while old ones work."""


@dataclass(frozen=True)
class SoftCheck:
    """Raises when a dependency is missing without which most still works."""

    check: Check
    login: Check | None = None


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
        works, logs_in = await asyncio.gather(
            asyncio.gather(*(self._passes(name, each.check) for name, each in self.checks.items())),
            asyncio.gather(*(self._passes(name, each.login) for name, each in self.checks.items())),
        )
        ready = all(works[index] for index, each in enumerate(self.checks.values()) if isinstance(each, HardCheck))
        states = ("up" if both else "down" for both in map(all, zip(works, logs_in, strict=True)))
        return Report(ready, dict(zip(self.checks, states, strict=True)))

    async def _passes(self, name: str, check: Check | None) -> bool:
        if check is None:
            return True
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
        return error is None
