"""Limits by response status, e.g. failed logins; other responses do not count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from openmusic_gateway.asgi import Send, Sent
from openmusic_gateway.limits.counting import Counters
from openmusic_gateway.limits.policy import Limit

MAX_CONCURRENT = 10  # attempts of one key in one gateway; a limit can be exceeded by as many


@dataclass(frozen=True)
class Rule:
    """Responses with this status count towards each limit, under its key."""

    status: int
    limits: tuple[tuple[Limit, str], ...]


class Attempts:
    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._semaphores: dict[tuple[str, str], asyncio.Semaphore] = {}
        self._users: dict[tuple[str, str], int] = {}

    @asynccontextmanager
    async def limited(self, rule: Rule, send: Send, deadline: float) -> AsyncIterator[Send]:
        """A ``send`` that counts the response. Raises HttpError (429) when a limit is reached.

        Also when other attempts are still running at the deadline, a time of the event loop.
        """
        limits = [(limit, key) for limit, key in rule.limits if limit.amount]
        async with AsyncExitStack() as stack:
            for limit, key in limits:
                try:
                    async with asyncio.timeout_at(deadline):
                        await stack.enter_async_context(self._slot((limit.name, key)))
                except TimeoutError:
                    raise limit.exceeded(1.0) from None
            for limit, key in limits:
                if wait := await self._counters.wait_for_room(limit, key):
                    raise limit.exceeded(wait)

            async def counting(message: Sent) -> None:
                if message["type"] == "http.response.start" and message["status"] == rule.status:
                    for limit, key in limits:  # before the client knows: its next attempt must find it counted
                        await self._counters.add(limit, key)
                await send(message)

            yield counting

    @asynccontextmanager
    async def _slot(self, key: tuple[str, str]) -> AsyncIterator[None]:
        """One of the MAX_CONCURRENT attempts that may run for a key."""
        slots = self._semaphores.setdefault(key, asyncio.Semaphore(MAX_CONCURRENT))
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with slots:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._semaphores[key], self._users[key]
