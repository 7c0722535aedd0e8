from typing import Annotated

from pydantic import WithJsonSchema

from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import OpaqueId, WireModel
from openmusic_playlist.playlists.schemas import Id


class SongPayload(WireModel):
    song_id: OpaqueId


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
