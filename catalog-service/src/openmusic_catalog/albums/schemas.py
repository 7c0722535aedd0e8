from typing import Annotated

from pydantic import Field, WithJsonSchema

from openmusic_catalog.listing.sorting import sort_pattern
from openmusic_catalog.songs.schemas import SongSummary
from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import Int32, Text, WireModel

Id = Annotated[str, WithJsonSchema(id_schema("album"))]
Color = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
AlbumSort = Annotated[str, Field(pattern=sort_pattern("name", "year"))]


class AlbumPayload(WireModel):
    name: Text
    year: Int32


class AlbumId(WireModel):
    album_id: Id


class Album(WireModel):
    id: Id
    name: str
    year: int
    cover_url: str | None
    songs: list[SongSummary]


class ColoredAlbum(Album):
    cover_color: Color | None


class AlbumSummary(WireModel):
    id: Id
    name: str
    year: int
    cover_url: str | None


class AlbumsData(WireModel):
    albums: list[AlbumSummary]


class AlbumData(WireModel):
    album: Album


class ColoredAlbumData(WireModel):
    album: ColoredAlbum


class CoverPayload(WireModel):
    path: Text
    color: Color | None = None


class CoverReference(WireModel):
    """``id`` is the album's."""

    id: str
    path: str


class CoverReferences(WireModel):
    covers: list[CoverReference]
