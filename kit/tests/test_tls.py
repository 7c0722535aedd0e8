"""Redis and RabbitMQ over TLS, with a certificate that only ``SSL_CERT_FILE`` makes known."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from yarl import URL

from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.messaging.broker import Broker
from openmusic_kit.messaging.topology import Queue
from openmusic_kit.settings import CacheSettings
from openmusic_testkit.certificates import write_self_signed
from openmusic_testkit.waiting import eventually


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_self_signed(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@asynccontextmanager
async def ending_tls(certificate: Path, port: int) -> AsyncIterator[int]:
    """A port that speaks TLS for the server that listens at ``port``."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, behind[1]), copy(behind[0], writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


def redis_at(port: int) -> CacheSettings:
    return CacheSettings(redis_server="127.0.0.1", redis_port=port, redis_tls=True)


@pytest.mark.usefixtures("trusted")
async def test_redis_is_used_over_tls(certificate: Path, redis_server: tuple[str, int]) -> None:
    async with ending_tls(certificate, redis_server[1]) as port, open_redis(redis_at(port)) as redis:
        assert await redis.set("test of TLS", "found", ex=60)
        assert await redis.get("test of TLS") == b"found"


async def test_a_redis_whose_certificate_nobody_vouches_for_is_refused(
    certificate: Path, redis_server: tuple[str, int]
) -> None:
    async with ending_tls(certificate, redis_server[1]) as port, open_redis(redis_at(port)) as redis:
        with pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            await redis.ping()


@pytest.mark.usefixtures("trusted", "disconnect")
async def test_events_go_to_rabbitmq_over_tls(
    certificate: Path,
    rabbitmq_url: str,
    queue: Queue,
    listening: Callable[[], Any],
) -> None:
    url = URL(rabbitmq_url)
    async with ending_tls(certificate, url.port or 0) as port, listening() as listener:
        broker = Broker(str(url.with_scheme("amqps").with_port(port)))
        broker.ensure_queue(queue)
        async with broker.running():
            await eventually(lambda: broker.connected)
            await broker.ping()
            await broker.log_in()
            await broker.publish(b'{"aggregateId": "over TLS"}', routing_key="thing.moved.v1", message_id="1")
            assert await listener.next("thing.moved.v1", "over TLS")


async def test_a_rabbitmq_whose_certificate_nobody_vouches_for_is_refused(certificate: Path, rabbitmq_url: str) -> None:
    url = URL(rabbitmq_url)
    async with ending_tls(certificate, url.port or 0) as port:
        with pytest.raises(aio_pika.exceptions.AMQPConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            await Broker(str(url.with_scheme("amqps").with_port(port))).log_in()
