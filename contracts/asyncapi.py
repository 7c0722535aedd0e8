"""Writes the document of all events, from the producers' models and the consumers' subscriptions.

``python contracts/asyncapi.py`` writes ``gateway/src/openmusic_gateway/asyncapi.json``; the gateway serves that file.
"""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.subscription import Subscription
from openmusic_kit.messaging.topology import EXCHANGE
from openmusic_kit.version import VERSION
from openmusic_operations.system import SERVICES

PATH = Path(__file__).parents[1] / "gateway" / "src" / "openmusic_gateway" / "asyncapi.json"
EXAMPLES = Path(__file__).parent / "events"
DESCRIPTION = """\
The events that the services publish and consume, through RabbitMQ. Each is delivered at least once; its `id` tells a
repeat, and its `sequence` grows with each change of its aggregate. A consumer ignores keys that it does not know, so
that additions keep the version of an event. These channels are for the services only."""

Document = dict[str, Any]


class _WithoutFieldTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - as the base class has it
        return False


def document() -> Document:
    events = {event.routing_key(): (service, event) for service, event in produced()}
    queues = {each.name: (service, each) for service, each in subscriptions()}
    channels = {key: _exchange_channel(key) for key in events}
    channels |= {name: _queue_channel(each) for name, (_, each) in queues.items()}
    operations = {f"{service}.send.{key}": _operation("send", key, [key]) for key, (service, _) in events.items()}
    for name, (service, each) in queues.items():
        operations[f"{service}.receive.{name}"] = _operation("receive", name, each.queue.routing_keys)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "OpenMusic events", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": {key: _message(event) for key, (_, event) in events.items()}},
    }


def text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def produced() -> Iterator[tuple[str, type[EventData]]]:
    """Each event with the service that publishes it."""
    for service in SERVICES:
        package = importlib.import_module(f"openmusic_{service}")
        if "events" in {module.name for module in pkgutil.iter_modules(package.__path__)}:
            for each in vars(importlib.import_module(f"{package.__name__}.events")).values():
                if isinstance(each, type) and issubclass(each, EventData) and each is not EventData:
                    yield service, each


def subscriptions() -> Iterator[tuple[str, Subscription[Any]]]:
    """Each subscription with its service: ``SUBSCRIPTION`` of every module ``consumer``."""
    for service in SERVICES:
        package = importlib.import_module(f"openmusic_{service}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith(".consumer"):
                yield service, importlib.import_module(module.name).SUBSCRIPTION


def payload(event: type[EventData]) -> dict[str, Any]:
    """The JSON schema of the event in its envelope."""
    schema = {"title": f"{event.event_type}, version {event.event_version}", **_schema(Envelope)}
    schema["properties"] |= {
        "type": {"const": event.event_type},
        "version": {"const": event.event_version},
        "data": _schema(event),
    }
    return schema


def _schema(model: type[Envelope | EventData]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_WithoutFieldTitles)
    return {key: each for key, each in schema.items() if key not in {"title", "description"}}


def _message(event: type[EventData]) -> dict[str, Any]:
    example = json.loads((EXAMPLES / f"{event.routing_key()}.example.json").read_text())
    return {"name": event.event_type, "payload": payload(event), "examples": [{"payload": example}]}


def _exchange_channel(routing_key: str) -> dict[str, Any]:
    exchange = {"name": EXCHANGE.name, "type": EXCHANGE.type.value, "durable": EXCHANGE.durable}
    return {
        "address": routing_key,
        "messages": _message_references([routing_key]),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}},
    }


def _queue_channel(subscription: Subscription[Any]) -> dict[str, Any]:
    queue = {"name": subscription.name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": subscription.name,
        "messages": _message_references(subscription.queue.routing_keys),
        "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": "0.3.0"}},
    }


def _message_references(keys: tuple[str, ...] | list[str]) -> dict[str, Any]:
    return {key: {"$ref": f"#/components/messages/{key}"} for key in keys}


def _operation(action: str, channel: str, keys: tuple[str, ...] | list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{key}"} for key in keys],
    }


if __name__ == "__main__":
    PATH.write_text(text())
