from openmusic_kit.schemas import Text, WireModel


class PlaylistPayload(WireModel):
    name: Text


class PlaylistId(WireModel):
    playlist_id: str


class PlaylistSummary(WireModel):
    id: str
    name: str
    username: str


class PlaylistsData(WireModel):
    playlists: list[PlaylistSummary]


class Owner(WireModel):
    owner_id: str


class Song(WireModel):
    id: str
    title: str
    performer: str


class PlaylistCopy(WireModel):
    """What the export needs of a playlist."""

    id: str
    name: str
    songs: list[Song]
