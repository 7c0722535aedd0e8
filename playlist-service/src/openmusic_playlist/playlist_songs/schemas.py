from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import OpaqueId, WireModel
from openmusic_playlist.playlists.schemas import Id

MAX_BATCH = 1000  # songs in one request


def _distinct(song_ids: list[str]) -> list[str]:
    if len(set(song_ids)) < len(song_ids):
        raise ValueError("must not name a song twice")
    return song_ids


class SongPayload(WireModel):
    song_id: OpaqueId


class SongsPayload(WireModel):
    song_ids: Annotated[list[OpaqueId], AfterValidator(_distinct)] = Field(
        min_length=1, max_length=MAX_BATCH, json_schema_extra={"uniqueItems": True}
    )


class Song(WireModel):
    id: Annotated[str, WithJsonSchema(id_schema("song"))]
    title: str
    performer: str


class PlaylistWithSongs(WireModel):
    id: Id
    name: str
    username: str
    songs: list[Song]


class PlaylistData(WireModel):
    playlist: PlaylistWithSongs


class PlaylistCopy(WireModel):
    """What an export needs of a playlist."""

    id: str
    name: str
    songs: list[Song]
