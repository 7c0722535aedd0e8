from openmusic_kit.schemas import Int32, Text, WireModel


class AlbumPayload(WireModel):
    name: Text
    year: Int32


class AlbumId(WireModel):
    album_id: str


class AlbumSong(WireModel):
    id: str
    title: str
    performer: str


class Album(WireModel):
    id: str
    name: str
    year: int
    cover_url: str | None
    songs: list[AlbumSong]


class AlbumData(WireModel):
    album: Album


class CoverPayload(WireModel):
    path: Text
