"""Subscriptions: which events a service consumes, and what it does with each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from openmusic_kit.messaging.consumer import Handler
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.topology import Queue, RetrySchedule

S = TypeVar("S")
EventHandler = Callable[[S, Any, Envelope], Awaitable[None]]
"""Gets the service, the event as its model, and the envelope. It may get the same event again after it succeeded.

What it raises decides: UnprocessableMessage, or pydantic's ValidationError, is final; anything else is tried again.
"""


@dataclass(frozen=True)
class Subscription(Generic[S]):
    """``name`` is the queue; it gets the events of ``handlers`` and no others. ``prefetch`` are handled at once."""

    name: str
    handlers: Mapping[type[EventData], EventHandler[S]]
    retry: RetrySchedule = field(default_factory=RetrySchedule)
    prefetch: int = 20

    @property
    def queue(self) -> Queue:
        return Queue(self.name, tuple(event.routing_key() for event in self.handlers), self.retry)

    def bind(self, service: S) -> Handler:
        """The handler of all its events."""
        by_routing_key = {event.routing_key(): (event, handle) for event, handle in self.handlers.items()}

        async def dispatch(envelope: Envelope) -> None:
            event, handle = by_routing_key[envelope.routing_key]
            await handle(service, event.model_validate(envelope.data), envelope)

        return dispatch
