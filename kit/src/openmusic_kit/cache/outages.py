"""Calls of something that everything must work without: each has a deadline, and after a failure it is left alone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from openmusic_kit.cache.redis_client import MAX_WAIT

logger = logging.getLogger(__name__)

OUTAGE = 1.0  # seconds that Redis is left alone after it failed

T = TypeVar("T")


class RedisCalls:
    """``wait`` seconds for each; ``lost`` and ``back`` are what the log says of an outage."""

    def __init__(
        self,
        wait: float = MAX_WAIT,
        *,
        lost: str = "cache is not available",
        back: str = "cache is available again",
    ) -> None:
        self._wait = wait
        self._lost = lost
        self._back = back
        self._out_until = 0.0
        self._warned = False

    async def attempt(self, command: Callable[[], Awaitable[T]], *, even_in_an_outage: bool = False) -> T | None:
        """What Redis answers, or None: when it does not in time, or at once while it is left alone.

        It may do what it was asked all the same, later.
        """
        if not even_in_an_outage and time.monotonic() < self._out_until:
            return None
        try:
            async with asyncio.timeout(self._wait):
                answer = await command()
        except (RedisError, OSError) as error:
            self._note_outage(error)
            return None
        if self._warned:
            logger.info(self._back)
            self._warned = False
        return answer

    async def done(self, command: Callable[[], Awaitable[None]], *, even_in_an_outage: bool = False) -> bool:
        """Whether Redis did it."""

        async def whole() -> bool:
            await command()
            return True

        return await self.attempt(whole, even_in_an_outage=even_in_an_outage) is not None

    def _note_outage(self, error: Exception) -> None:
        if not self._warned:
            logger.warning(self._lost, extra={"error": repr(error)})
            self._warned = True
        self._out_until = time.monotonic() + OUTAGE
