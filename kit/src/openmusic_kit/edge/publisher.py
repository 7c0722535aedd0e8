"""Purges for changes that no client's request made, such as those of a consumer."""

import asyncio
import logging
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from openmusic_kit.edge import messages

logger = logging.getLogger(__name__)

TIMEOUT = 1.0  # seconds for all messages


class PurgePublisher:
    """Publishes purges to all gateways. What it cannot publish stays on hold until the hold lapses."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, tags: Iterable[str], lifted: Iterable[str] = ()) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                for message in messages.purges(tags, lifted):
                    await self._redis.publish(messages.CHANNEL, message)
        except (RedisError, OSError) as error:
            logger.debug("purge not published", extra={"error": repr(error)})
