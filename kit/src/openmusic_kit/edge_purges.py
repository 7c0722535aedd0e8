"""Purges that come from a service by itself."""

import asyncio
import json
import logging
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from openmusic_kit.edge import PURGES

logger = logging.getLogger(__name__)

BATCH = 500  # tags in one message
TIMEOUT = 1.0  # seconds for all messages: by then the gateways have found out without them


class EdgePurges:
    """Tells the gateways of changes that no client's request brought. Without Redis they find out within a second."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, tags: Iterable[str]) -> None:
        wanted = list(tags)
        try:
            async with asyncio.timeout(TIMEOUT):
                for start in range(0, len(wanted), BATCH):
                    await self._redis.publish(PURGES, json.dumps({"tags": wanted[start : start + BATCH]}))
        except (RedisError, OSError) as error:
            logger.debug("gateways were not told", extra={"error": repr(error)})
