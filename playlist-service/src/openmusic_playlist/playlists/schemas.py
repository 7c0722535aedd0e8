from typing import Annotated

from pydantic import WithJsonSchema

from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import Text, WireModel

Id = Annotated[str, WithJsonSchema(id_schema("playlist"))]


class PlaylistPayload(WireModel):
    name: Text


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
