"""PostgreSQL's notifications, over a dedicated connection that reconnects when it is lost."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg

from openmusic_kit.database.connections import BoundedConnection

logger = logging.getLogger(__name__)

CHECK_INTERVAL = 2.0  # seconds between checks that the connection still works
RECONNECT_INTERVAL = 1.0  # seconds


async def listen_forever(conninfo: str, channel: LiteralString, notified: Callable[[], object]) -> None:
    """Calls ``notified`` for each notification, and after each connect, as some may have been missed."""
    while True:
        try:
            connection: BoundedConnection[Any]
            async with await BoundedConnection.connect(conninfo, autocommit=True) as connection:
                await connection.execute(f"LISTEN {channel}")
                notified()
                while True:
                    async for _ in connection.notifies(timeout=CHECK_INTERVAL):
                        notified()
                    await connection.execute(f"LISTEN {channel}")  # a no-op that needs an answer
        except psycopg.Error as error:
            logger.debug("listener lost its connection", extra={"channel": channel, "error": repr(error)})
        await asyncio.sleep(RECONNECT_INTERVAL)
