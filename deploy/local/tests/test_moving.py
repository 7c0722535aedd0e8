"""The data folder may be moved, or copied elsewhere, while nothing runs: all that it held is still there."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import pytest
from minio import Minio

from openmusic_local.servers import objectstore, postgres, rabbitmq
from openmusic_local.stack import Stack

MESSAGES = [f"export {number}".encode() for number in range(5)]
QUEUE = {"name": "export.jobs", "durable": True, "arguments": {"x-queue-type": "quorum"}}
COVER = b"a picture" * 1000


@contextmanager
def servers(folder: Path) -> Iterator[Stack]:
    stack = Stack(folder, {}, preferred_ports={})
    try:
        stack.start_servers("rabbitmq", "objectstore", "postgres")
        yield stack
    finally:
        stack.stop()


def broker(stack: Stack) -> str:
    return rabbitmq.url(stack.server_port("rabbitmq"), stack.secret("rabbitmq"))


def store(stack: Stack) -> Minio:
    return Minio(
        endpoint=f"127.0.0.1:{stack.server_port('objectstore')}",
        access_key=objectstore.ACCESS_KEY,
        secret_key=stack.secret("objectstore"),
        secure=False,
    )


async def send(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(**QUEUE)
        for body in MESSAGES:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, routing_key=QUEUE["name"])


async def receive(url: str) -> list[bytes]:
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).declare_queue(**QUEUE)
        found = [await queue.get(fail=False) for _ in MESSAGES]
        return [message.body for message in found if message]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    tmp_path.chmod(0o755)
    yield lambda name: tmp_path / name


async def test_messages_covers_and_rows_move_with_the_folder(folder: Callable[[str], Path]) -> None:
    with servers(folder("old")) as stack:
        await send(broker(stack))
        store(stack).make_bucket(bucket_name="covers")
        store(stack).put_object(bucket_name="covers", object_name="a/1.png", data=io.BytesIO(COVER), length=len(COVER))
        with postgres.connect(stack.server_port("postgres"), stack.secret("postgres")) as connection:
            connection.execute("CREATE TABLE moved AS SELECT 7 AS number")
    folder("old").rename(folder("new place"))

    with servers(folder("new place")) as stack:
        assert await receive(broker(stack)) == MESSAGES
        assert store(stack).get_object(bucket_name="covers", object_name="a/1.png").read() == COVER
        with postgres.connect(stack.server_port("postgres"), stack.secret("postgres")) as connection:
            assert connection.execute("SELECT number FROM moved").fetchall() == [(7,)]
    assert not folder("old").exists()
