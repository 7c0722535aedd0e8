"""Purges for changes that no client's request made, such as those of a consumer."""

import asyncio
import json
import logging
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from openmusic_kit.edge.tags import PURGES

logger = logging.getLogger(__name__)

BATCH = 500  # tags in one message
TIMEOUT = 1.0  # seconds for all messages: kept answers have expired by then


class PurgePublisher:
    """Publishes purges to all gateways. Without Redis, they stop using what they keep within a second."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, tags: Iterable[str]) -> None:
        wanted = list(tags)
        try:
            async with asyncio.timeout(TIMEOUT):
                for start in range(0, len(wanted), BATCH):
                    await self._redis.publish(PURGES, json.dumps({"tags": wanted[start : start + BATCH]}))
        except (RedisError, OSError) as error:
            logger.debug("purge not published", extra={"error": repr(error)})
