"""One dead letter: what its envelope and its headers tell, whoever wrote them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from aio_pika.abc import AbstractIncomingMessage

from openmusic_kit.messaging.consumer import DIED, REASON

UNKNOWN = "-"


@dataclass(frozen=True)
class Letter:
    """``id`` is that of the message, or a dash. ``died`` is None when nobody noted it."""

    id: str
    type: str
    died: datetime | None
    reason: str
    headers: dict[str, Any]
    body: bytes

    @classmethod
    def of(cls, message: AbstractIncomingMessage) -> Self:
        headers = dict(message.headers)
        return cls(letter_id(message), _type(message.body), _died(headers), _reason(headers), headers, message.body)


def letter_id(message: AbstractIncomingMessage) -> str:
    return message.message_id or UNKNOWN


def parsed(body: bytes) -> Any:
    """The JSON that the body is, or None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _type(body: bytes) -> str:
    event = parsed(body)
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return UNKNOWN
    version = event.get("version")
    return f"{event['type']}.v{version}" if isinstance(version, int) else str(event["type"])


def _died(headers: dict[str, Any]) -> datetime | None:
    milliseconds = headers.get(DIED)
    if isinstance(milliseconds, int):
        try:
            return datetime.fromtimestamp(milliseconds / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    time = _death(headers).get("time")
    return time.replace(tzinfo=time.tzinfo or UTC) if isinstance(time, datetime) else None


def _reason(headers: dict[str, Any]) -> str:
    if REASON in headers:
        return str(headers[REASON])
    return f"RabbitMQ gave up: {_death(headers).get('reason', 'it does not say why')}"


def _death(headers: dict[str, Any]) -> dict[str, Any]:
    """What RabbitMQ notes on what it moves to the dead itself."""
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
