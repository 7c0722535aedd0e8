"""Limits what is counted by its answer: an attempt that failed, say. Those whose answers are others cost nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from openmusic_gateway.limits.counting import Counts
from openmusic_gateway.limits.policy import Limit

AT_ONCE = 10  # attempts of one key that are under way in one gateway; it is by so many that a limit can be exceeded


@dataclass(frozen=True)
class Rule:
    """Answers with this status count against each limit, by its key."""

    status: int
    limits: tuple[tuple[Limit, str], ...]


class Attempts:
    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._turns: dict[tuple[str, str], asyncio.Semaphore] = {}
        self._users_of_turns: dict[tuple[str, str], int] = {}

    @asynccontextmanager
    async def limited(self, rule: Rule, send: Any, deadline: float) -> AsyncIterator[Any]:
        """Gives what to send the answer with. Raises Refused (429) when a limit is reached.

        Also when its turn has not come by the deadline, a time of the event loop.
        """
        limits = [(limit, key) for limit, key in rule.limits if limit.amount]
        async with AsyncExitStack() as turns:
            for limit, key in limits:
                try:
                    async with asyncio.timeout_at(deadline):
                        await turns.enter_async_context(self._turn((limit.name, key)))
                except TimeoutError:
                    raise limit.refused(1.0) from None
            for limit, key in limits:
                if wait := await self._counts.wait_for_room(limit, key):
                    raise limit.refused(wait)

            async def counting(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start" and message["status"] == rule.status:
                    for limit, key in limits:  # before the client can know, so that its next attempt finds it counted
                        await self._counts.add(limit, key)
                await send(message)

            yield counting

    @asynccontextmanager
    async def _turn(self, key: tuple[str, str]) -> AsyncIterator[None]:
        """The attempts of one key beyond ``AT_ONCE`` wait for those before them, so that none slips past the limit."""
        turns = self._turns.setdefault(key, asyncio.Semaphore(AT_ONCE))
        self._users_of_turns[key] = self._users_of_turns.get(key, 0) + 1
        try:
            async with turns:
                yield
        finally:
            self._users_of_turns[key] -= 1
            if not self._users_of_turns[key]:
                del self._turns[key], self._users_of_turns[key]
