from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints, WithJsonSchema

from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import OpaqueId, StoredText, Text, WireModel

Id = Annotated[str, WithJsonSchema(id_schema("playlist"))]


class PlaylistPayload(WireModel):
    name: Text


class CopyPayload(WireModel):
    """The factory only keeps a default out of the document."""

    name: Text = Field(default_factory=str)


Description = Annotated[
    StoredText, StringConstraints(max_length=1000), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
]
"""Text of up to 1000 characters that may be empty."""


class DetailsPayload(WireModel):
    """What is left out stays as it is; the factories only keep defaults out of the document."""

    name: Text = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    public: bool = Field(default_factory=bool)


class PlaylistId(WireModel):
    playlist_id: Id


class PlaylistSummary(WireModel):
    id: Id
    name: str
    username: str


class PlaylistsData(WireModel):
    playlists: list[PlaylistSummary]


class Owner(WireModel):
    owner_id: str


class PlaylistOwner(WireModel):
    id: str
    username: str


class PlaylistDetails(WireModel):
    id: Id
    name: str
    description: str
    public: bool
    owner: PlaylistOwner
    song_count: int
    collaborator_count: int
    created_at: datetime
    changed_at: datetime
    revision: int
    cover_url: str | None


class DetailsData(WireModel):
    playlist: PlaylistDetails


class CoverPayload(WireModel):
    path: Text
    user_id: OpaqueId


class CoverAnswer(WireModel):
    """Whether the user may do it, and it is done."""

    allowed: bool


class CoverReference(WireModel):
    id: str
    path: str


class CoverReferences(WireModel):
    covers: list[CoverReference]
