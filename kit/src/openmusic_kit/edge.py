"""What a service tells the gateways about its answers: which of them may be kept at the edge, and when no longer.

An answer with the header ``Cache-Tag`` may be kept, for one user if ``Cache-Control`` says ``private``. The answer to a
change names in ``Cache-Purge`` the tags of all answers that it made outdated; they are gone from every gateway before
the client sees it. Neither header leaves the gateway.
"""

import json
import logging
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

BATCH = 500  # tags in one message
CACHE_TAG = "Cache-Tag"
CACHE_PURGE = "Cache-Purge"
PURGES = "gateway:purges"
"""The Redis channel of all purges: ``{tags: [...]}``; one with ``{id, from}`` as well wants to be acknowledged."""


def private(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for the user who asked."""
    return {CACHE_TAG: ",".join(tags), "Cache-Control": "private, no-cache"}


def public(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for everyone."""
    return {CACHE_TAG: ",".join(tags), "Cache-Control": "public, no-cache"}


def purging(*tags: str) -> dict[str, str]:
    """Headers of the answer to a change."""
    return {CACHE_PURGE: ",".join(tags)}


class EdgePurges:
    """Tells the gateways of changes that no client's request brought. Without Redis they find out within a second."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, tags: Iterable[str]) -> None:
        wanted = list(tags)
        try:
            for start in range(0, len(wanted), BATCH):
                await self._redis.publish(PURGES, json.dumps({"tags": wanted[start : start + BATCH]}))
        except (RedisError, OSError) as error:
            logger.debug("gateways were not told", extra={"error": repr(error)})
