"""PostgreSQL's notifications, over a connection of their own that is renewed whenever it is lost."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg

from openmusic_kit.database.connections import BoundedConnection

logger = logging.getLogger(__name__)

CHECK_INTERVAL = 2.0  # seconds between two questions whether the connection still works
RECONNECT_INTERVAL = 1.0  # seconds


async def listen_for_ever(conninfo: str, channel: LiteralString, notified: Callable[[], object]) -> None:
    """Calls ``notified`` with every notification, and after each new connection, as some may have been missed."""
    while True:
        try:
            connection: BoundedConnection[Any]
            async with await BoundedConnection.connect(conninfo, autocommit=True) as connection:
                await connection.execute(f"LISTEN {channel}")
                notified()
                while True:
                    async for _ in connection.notifies(timeout=CHECK_INTERVAL):
                        notified()
                    await connection.execute(f"LISTEN {channel}")  # changes nothing: a question that wants an answer
        except psycopg.Error as error:
            logger.debug("listener lost its connection", extra={"channel": channel, "error": repr(error)})
        await asyncio.sleep(RECONNECT_INTERVAL)
