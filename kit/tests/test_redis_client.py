"""Connections to Redis that were lost while nobody used them."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from openmusic_kit.cache import redis_client
from openmusic_kit.cache.redis_client import CONNECTIONS, open_redis
from openmusic_kit.settings import CacheSettings
from openmusic_testkit.waiting import eventually

Eventually = Callable[..., Awaitable[Any]]
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Resetting:
    """A Redis that answers every command with ``+OK`` and resets its connections when told to."""

    def __init__(self) -> None:
        self.accepted = 0
        self.answers = asyncio.Event()
        """While this is not set, commands wait for their answers."""
        self.answers.set()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.append(writer)
        with suppress(OSError):
            while piece := await reader.read(4096):
                await self.answers.wait()
                writer.write(b"+OK\r\n" * piece.count(b"*"))

    def reset(self) -> None:
        while self._writers:
            writer = self._writers.pop()
            if (connection := writer.get_extra_info("socket")) is not None:  # the other side has not closed it
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                writer.transport.abort()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Resetting, int]]:
    resetting = Resetting()
    server = await asyncio.start_server(resetting.serve, "127.0.0.1", 0)
    yield resetting, server.sockets[0].getsockname()[1]
    resetting.reset()
    server.close()


async def lost_connections(redis: Redis, resetting: Resetting) -> None:
    """All that the pool has, as it does not know them yet."""
    await asyncio.gather(*(redis.execute_command("ANY") for _ in range(8)))
    connections = list(redis.connection_pool._available_connections)
    assert connections
    resetting.reset()
    await eventually(lambda: all(each._writer.is_closing() for each in connections))


async def test_connections_that_were_reset_are_made_again_unnoticed(server: tuple[Resetting, int]) -> None:
    resetting, port = server
    async with open_redis(CacheSettings(redis_server="127.0.0.1", redis_port=port), retries=0) as redis:
        await lost_connections(redis, resetting)
        before = resetting.accepted
        for _ in range(8):
            assert await redis.execute_command("ANY")
        assert resetting.accepted > before


async def test_a_connection_lost_after_it_was_looked_at_is_an_error_of_redis(
    server: tuple[Resetting, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    resetting, port = server
    async with open_redis(CacheSettings(redis_server="127.0.0.1", redis_port=port), retries=0) as redis:
        await lost_connections(redis, resetting)
        monkeypatch.setattr(asyncio.StreamWriter, "is_closing", lambda _: False)
        with pytest.raises(RedisConnectionError):
            await redis.execute_command("ANY")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, no connection takes too long."""
    monkeypatch.setattr(redis_client, "SOCKET_TIMEOUT", 60.0)
    monkeypatch.setattr(redis_client, "POOL_WAIT", 60.0)


@pytest.mark.usefixtures("patient")
async def test_more_commands_than_connections_wait_for_their_turn(server: tuple[Resetting, int]) -> None:
    resetting, port = server
    async with open_redis(CacheSettings(redis_server="127.0.0.1", redis_port=port), retries=0) as redis:
        answers = await asyncio.gather(*(redis.execute_command("ANY") for _ in range(3 * CONNECTIONS)))
    assert len(answers) == 3 * CONNECTIONS
    assert resetting.accepted == CONNECTIONS


@pytest.mark.usefixtures("patient")
async def test_a_command_without_a_free_connection_fails_and_costs_none(server: tuple[Resetting, int]) -> None:
    resetting, port = server
    async with open_redis(CacheSettings(redis_server="127.0.0.1", redis_port=port), retries=0) as redis:
        await asyncio.gather(*(redis.execute_command("ANY") for _ in range(CONNECTIONS)))  # connects
        redis.connection_pool._wait = 0.05
        for _ in range(2):
            resetting.answers.clear()
            held = [asyncio.create_task(redis.execute_command("ANY")) for _ in range(CONNECTIONS)]
            await eventually(lambda: len(redis.connection_pool._in_use_connections) == CONNECTIONS)
            with pytest.raises(RedisConnectionError, match="no connection is free"):
                await redis.execute_command("ANY")
            held.pop().cancel()
            resetting.answers.set()
            await asyncio.gather(*held)
