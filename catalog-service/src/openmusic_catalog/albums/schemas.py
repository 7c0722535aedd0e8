from typing import Annotated

from pydantic import WithJsonSchema

from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import Int32, Text, WireModel

Id = Annotated[str, WithJsonSchema(id_schema("album"))]
SongId = Annotated[str, WithJsonSchema(id_schema("song"))]


class AlbumPayload(WireModel):
    name: Text
    year: Int32


class AlbumId(WireModel):
    album_id: Id


class AlbumSong(WireModel):
    id: SongId
    title: str
    performer: str


class Album(WireModel):
    id: Id
    name: str
    year: int
    cover_url: str | None
    songs: list[AlbumSong]


class AlbumData(WireModel):
    album: Album


class CoverPayload(WireModel):
    path: Text
