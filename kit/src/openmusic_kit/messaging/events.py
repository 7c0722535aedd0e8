"""Events: facts that one service announces and others may keep a copy of."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

import uuid_utils
from pydantic import Field, StringConstraints

from openmusic_kit.context import request_id
from openmusic_kit.web.schemas import Int32, Int64, ShortText, WireModel

REQUEST_ID = r"^[A-Za-z0-9._-]{0,64}$"
"""It is logged, and sent on in the headers of requests."""


NonEmptyText = Annotated[str, StringConstraints(min_length=1)]


class EventData(WireModel):
    """What happened. A subclass names its type and version; additive changes keep the version."""

    event_type: ClassVar[str]
    event_version: ClassVar[int]

    @classmethod
    def routing_key(cls) -> str:
        return _routing_key(cls.event_type, cls.event_version)


class Envelope(WireModel):
    """What travels: the data, and what a consumer needs to ignore repeats and whatever is older than it knows.

    ``sequence`` grows by one with each change of the aggregate.
    """

    id: ShortText
    type: ShortText
    version: Int32
    aggregate_id: ShortText
    sequence: Annotated[Int64, Field(ge=1)]
    time: datetime
    request_id: str = Field(default="", pattern=REQUEST_ID)
    data: dict[str, Any]

    @classmethod
    def of(cls, data: EventData, aggregate_id: str, sequence: int) -> Self:
        return cls(
            id=str(uuid_utils.uuid7()),
            type=data.event_type,
            version=data.event_version,
            aggregate_id=aggregate_id,
            sequence=sequence,
            time=datetime.now(UTC),
            request_id=request_id.get(),
            data=data.model_dump(by_alias=True, mode="json"),
        )

    @property
    def routing_key(self) -> str:
        return _routing_key(self.type, self.version)


def _routing_key(event_type: str, version: int) -> str:
    return f"{event_type}.v{version}"
