"""Subscriptions: which events a service consumes, and what it does with each."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from openmusic_kit.messaging.batching import Batcher
from openmusic_kit.messaging.consumer import Handler
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.topology import Queue, RetrySchedule

S = TypeVar("S")
EventHandler = Callable[[S, Any, Envelope], Awaitable[None]]
"""Gets the service, the event as its model, and the envelope. It may get the same event again after it succeeded.

What it raises decides: UnprocessableMessage, or pydantic's ValidationError, is final; anything else is tried again.
"""

BatchHandler = Callable[[S, Sequence[tuple[Any, Envelope]]], Awaitable[None]]
"""Gets the service and several events with their envelopes. It applies all in one transaction, or none and raises."""


@dataclass(frozen=True)
class Subscription(Generic[S]):
    """``name`` is the queue; it gets the events of ``handlers`` and no others. ``prefetch`` are handled at once.

    Events of ``batch_handlers`` that wait at the same time are handled together, and one by one if that fails.
    """

    name: str
    handlers: Mapping[type[EventData], EventHandler[S]]
    retry: RetrySchedule = field(default_factory=RetrySchedule)
    prefetch: int = 20
    batch_handlers: Mapping[type[EventData], BatchHandler[S]] = field(default_factory=dict)

    @property
    def queue(self) -> Queue:
        return Queue(self.name, tuple(event.routing_key() for event in self.handlers), self.retry)

    def bind(self, service: S) -> Handler:
        """The handler of all its events."""
        by_routing_key = {event.routing_key(): event for event in self.handlers}
        batchers = {handle: _batcher(service, handle) for handle in self.batch_handlers.values()}

        async def dispatch(envelope: Envelope) -> None:
            event = by_routing_key[envelope.routing_key]
            data = event.model_validate(envelope.data)
            alone = partial(self.handlers[event], service, data, envelope)
            if event in self.batch_handlers:
                await batchers[self.batch_handlers[event]].apply((data, envelope), alone)
            else:
                await alone()

        return dispatch


def _batcher(service: S, handle: BatchHandler[S]) -> Batcher[tuple[Any, Envelope]]:
    return Batcher(partial(handle, service))
