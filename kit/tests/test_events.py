import json
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import UUID

import pytest
from pydantic import ValidationError

from openmusic_kit.context import request_id
from openmusic_kit.messaging.events import Envelope, EventData


class ThingMoved(EventData):
    event_type: ClassVar[str] = "thing.moved"
    event_version: ClassVar[int] = 2
    moved_to: str


def test_an_envelope_says_what_happened_to_what_when_and_for_which_request() -> None:
    token = request_id.set("request-7")
    first, second = (Envelope.of(ThingMoved(moved_to="shelf"), "thing-1", 3) for _ in range(2))
    request_id.reset(token)
    assert (first.type, first.version, first.aggregate_id, first.sequence) == ("thing.moved", 2, "thing-1", 3)
    assert first.routing_key == "thing.moved.v2"
    assert first.data == {"movedTo": "shelf"}
    assert first.request_id == "request-7"
    assert abs(first.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert first.id < second.id
    assert UUID(first.id).version == 7


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"sequence": 1}, True),
        ({"sequence": 0}, False),
        ({"requestId": "a" * 64}, True),
        ({"requestId": "a" * 65}, False),
        ({"requestId": "a b"}, False),
        ({"requestId": "a\n"}, False),
        ({"requestId": ""}, True),
        ({"version": 2**31}, False),
    ],
)
def test_what_comes_from_elsewhere_is_checked(changes: dict[str, object], valid: bool) -> None:
    event = Envelope.of(ThingMoved(moved_to="shelf"), "thing-1", 3).model_dump(by_alias=True, mode="json")
    body = json.dumps(event | changes)
    if valid:
        assert Envelope.model_validate_json(body).id == event["id"]
        return
    with pytest.raises(ValidationError):
        Envelope.model_validate_json(body)
