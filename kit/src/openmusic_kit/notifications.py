"""PostgreSQL's notifications, over a connection of their own that is renewed whenever it is lost."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection

logger = logging.getLogger(__name__)

CHECK_INTERVAL = 2.0  # seconds between two questions whether the connection still works
ANSWER_TIMEOUT = 3.0  # seconds; the server's own timeouts do not help when nothing arrives there
RECONNECT_INTERVAL = 1.0  # seconds


async def listen_for_ever(conninfo: str, channel: LiteralString, notified: Callable[[], object]) -> None:
    """Calls ``notified`` with every notification, and after each new connection, as some may have been missed."""
    while True:
        try:
            async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
                await _execute(connection, f"LISTEN {channel}")
                notified()
                while True:
                    async for _ in connection.notifies(timeout=CHECK_INTERVAL):
                        notified()
                    await _execute(connection, f"LISTEN {channel}")  # changes nothing: a question that wants an answer
        except psycopg.Error as error:
            logger.debug("listener lost its connection", extra={"channel": channel, "error": repr(error)})
        await asyncio.sleep(RECONNECT_INTERVAL)


async def _execute(connection: AsyncConnection[Any], statement: LiteralString) -> None:
    """Raises psycopg.OperationalError also when the answer does not come in time.

    Cancelling the statement would not end the wait soon: psycopg then asks the server to cancel it, and waits again.
    """
    executing = asyncio.ensure_future(connection.execute(statement))
    try:
        done, _ = await asyncio.wait([executing], timeout=ANSWER_TIMEOUT)
        if not done:
            _shut_down(connection)
        await executing
    finally:
        executing.cancel()


def _shut_down(connection: AsyncConnection[Any]) -> None:
    """Ends the connection on this side, so that a statement in progress fails."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)
