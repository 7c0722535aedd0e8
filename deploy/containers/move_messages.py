"""Moves all messages that now are in one queue to another, for instance from export.jobs.dead back to export.jobs.

    docker compose exec -T export-service python - export.jobs.dead export.jobs < deploy/containers/move_messages.py

What was noted on them about earlier failures is left out, so that they are tried as if they were new. A message leaves
its queue only when the broker has it safely in the other.
"""

import asyncio
import sys

import aio_pika

from openmusic_export.settings import Settings


async def move(source: str, target: str) -> int:
    connection = await aio_pika.connect(Settings().rabbitmq_server.get_secret_value())
    async with connection, connection.channel(on_return_raises=True) as channel:
        queue = await channel.declare_queue(source, passive=True)
        waiting = queue.declaration_result.message_count or 0
        for moved in range(waiting):
            message = await queue.get(fail=False)
            if message is None:
                return moved
            copy = aio_pika.Message(
                message.body,
                message_id=message.message_id,
                content_type=message.content_type,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await channel.default_exchange.publish(copy, target, mandatory=True)
            await message.ack()
        return waiting


print(asyncio.run(move(*sys.argv[1:])), "moved")
