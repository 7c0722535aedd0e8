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

from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.settings import CacheSettings
from openmusic_testkit.waiting import eventually

Eventually = Callable[..., Awaitable[Any]]
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Resetting:
    """A Redis that answers every command with ``+OK`` and resets its connections when told to."""

    def __init__(self) -> None:
        self.accepted = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.append(writer)
        with suppress(OSError):
            while piece := await reader.read(4096):
                writer.write(b"+OK\r\n" * piece.count(b"*"))

    def reset(self) -> None:
        while self._writers:
            writer = self._writers.pop()
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
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
