"""Settles each message: acknowledged, scheduled for a retry, or dead-lettered. None is lost on the way."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from faststream.rabbit import RabbitMessage
from pydantic import ValidationError

from openmusic_kit.context import redelivered, request_id
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.topology import Queue
from openmusic_kit.metrics import Counts
from openmusic_kit.web.schemas import describe

logger = logging.getLogger(__name__)

PAUSE = 0.5  # seconds before a message that could not be moved goes back to its queue
MAX_BODY = 65_536  # bytes
ATTEMPT, FIRST_FAILURE, DIED, REASON = "x-attempt", "x-first-failure", "x-died", "x-reason"
"""Headers of our own. Times are in milliseconds since 1970: on the wire a floating point number has too few digits."""

MESSAGES = Counts(
    "openmusic_messages_total",
    "Messages by what became of them: handled, retried (later), dead_lettered",
    ("queue", "outcome"),
)

Handler = Callable[[Envelope], Awaitable[None]]


class Send(Protocol):
    """Publishes with confirmation, to the queue of that name."""

    async def __call__(self, body: bytes, *, queue: str, message_id: str, headers: dict[str, Any]) -> None: ...


class UnprocessableMessage(Exception):
    """Raised by a handler for a message that can never be handled; the text is the reason."""


class Consumer:
    def __init__(self, queue: Queue, handler: Handler, send: Send) -> None:
        self.queue = queue
        self._handler = handler
        self._send = send
        self._in_flight: set[asyncio.Task[Any]] = set()
        MESSAGES.expect(*((queue.name, outcome) for outcome in ("handled", "retried", "dead_lettered")))

    async def consume(self, message: RabbitMessage) -> None:
        """Shields the handler: FastStream cancels the caller when the connection drops.

        Otherwise a handler could stop between a side effect and its record of that effect.
        """
        task = asyncio.create_task(self._settle(message), name="consuming")
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        await asyncio.shield(task)

    async def _settle(self, message: RabbitMessage) -> None:
        try:
            await self._handle(message)
        except Exception as error:  # not acknowledged, so the next connection delivers it again
            logger.warning("message could not be settled", extra={"error": repr(error)})

    async def abandon(self) -> None:
        """Cancels the handlers in flight; their messages are delivered again."""
        for task in self._in_flight:
            task.cancel()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=1.0)

    async def _handle(self, message: RabbitMessage) -> None:
        try:
            if len(message.body) > MAX_BODY:
                raise UnprocessableMessage(
                    f"too large: {len(message.body)} bytes, and no event has more than {MAX_BODY}"
                )
            envelope = Envelope.model_validate_json(message.body)
            request_id.set(envelope.request_id)
            redelivered.set(bool(message.raw_message.redelivered))
            if envelope.routing_key not in self.queue.routing_keys:
                raise UnprocessableMessage(f"unknown event: {envelope.routing_key}")
            await self._handler(envelope)
        except ValidationError as error:
            await self._dead_letter(message, f"malformed: {describe(error)}")
        except UnprocessableMessage as error:
            await self._dead_letter(message, str(error))
        except Exception as error:
            await self._schedule_retry(message, error)
        else:
            await message.ack()
            MESSAGES.add(self.queue.name, "handled")

    async def _dead_letter(self, message: RabbitMessage, reason: str) -> None:
        MESSAGES.add(self.queue.name, "dead_lettered")
        logger.error(
            "message dead-lettered", extra={"queue": self.queue.name, "id": message.message_id, "reason": reason}
        )
        await self._move(message, self.queue.dead, *_history(message), reason, {DIED: _milliseconds(time.time())})

    async def _schedule_retry(self, message: RabbitMessage, error: Exception) -> None:
        failures, first_failure = _history(message)
        if time.time() - first_failure >= self.queue.retry.give_up_after:
            await self._dead_letter(message, repr(error))
            return
        attempt = failures + 1
        MESSAGES.add(self.queue.name, "retried")
        logger.warning(
            "message scheduled for retry",
            extra={"queue": self.queue.name, "id": message.message_id, "attempt": attempt, "error": repr(error)},
        )
        target = self.queue.retry_queue(self.queue.retry.delay(attempt))
        await self._move(message, target, attempt, first_failure, repr(error))

    async def _move(
        self,
        message: RabbitMessage,
        target: str,
        attempt: int,
        first_failure: float,
        reason: str,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Acknowledges the message once the target queue has confirmed it."""
        headers = {ATTEMPT: attempt, FIRST_FAILURE: _milliseconds(first_failure), REASON: reason[:1000], **more}
        try:
            await self._send(message.body, queue=target, message_id=message.message_id, headers=headers)
        except Exception as error:
            logger.warning("message could not be moved", extra={"queue": target, "error": repr(error)})
            await asyncio.sleep(PAUSE)  # or it would be back at once
            await message.nack(requeue=True)
        else:
            await message.ack()


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _history(message: RabbitMessage) -> tuple[int, float]:
    """How often it failed so far, and when first (seconds since 1970). Values of the wrong type are ignored."""
    attempt, first_failure = message.headers.get(ATTEMPT), message.headers.get(FIRST_FAILURE)
    return (
        attempt if isinstance(attempt, int) else 0,
        first_failure / 1000 if isinstance(first_failure, int) and first_failure > 1 else time.time(),
    )
