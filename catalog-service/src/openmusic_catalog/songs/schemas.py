from typing import Annotated

from pydantic import Field, WithJsonSchema

from openmusic_catalog.listing.sorting import sort_pattern
from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import Int32, IntegralFloat, OpaqueId, Text, WireModel

Id = Annotated[str, WithJsonSchema(id_schema("song"))]
AlbumId = Annotated[str, WithJsonSchema(id_schema("album"))]
SongSort = Annotated[str, Field(pattern=sort_pattern("title", "performer", "year"))]
Seconds = Annotated[int, Field(ge=0, le=2**31 - 1), IntegralFloat]


class SongPayload(WireModel):
    title: Text
    year: Int32
    genre: Text
    performer: Text
    duration: Seconds | None = None
    album_id: OpaqueId | None = None


class SongId(WireModel):
    song_id: Id


class SongSummary(WireModel):
    id: Id
    title: str
    performer: str


class Song(WireModel):
    id: Id
    title: str
    year: int
    performer: str
    genre: str
    duration: int | None
    album_id: AlbumId | None


class SongData(WireModel):
    song: Song


class SongsData(WireModel):
    songs: list[SongSummary]


class SongCopy(WireModel):
    """What another service may keep of a song. Of two copies, the one with the higher ``version`` is newer."""

    id: str
    title: str
    performer: str
    version: int


class SongCopies(WireModel):
    songs: list[SongCopy]


class SongText(WireModel):
    title: str
    performer: str


class SongChange(WireModel):
    """A change for services that copy songs. ``song`` is null when it was deleted."""

    version: int
    song: SongText | None
