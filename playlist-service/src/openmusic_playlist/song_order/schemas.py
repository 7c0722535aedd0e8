from typing import Annotated

from pydantic import Field

from openmusic_kit.web.schemas import IntegralFloat, OpaqueId, WireModel

Revision = Annotated[int, Field(ge=0), IntegralFloat]


class WholeOrder(WireModel):
    song_ids: list[OpaqueId] = Field(description="All songs of the playlist, first to last")
    revision: Revision | None = Field(
        None, description="That of the playlist whose songs were put in order; any other is refused"
    )


class Move(WireModel):
    song_id: OpaqueId
    after: OpaqueId | None = Field(description="The song that it follows; null puts it first")
