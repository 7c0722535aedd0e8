from openmusic_kit.web.schemas import OpaqueId, WireModel
from openmusic_playlist.playlists.schemas import Id, Song


class SongPayload(WireModel):
    song_id: OpaqueId


class PlaylistWithSongs(WireModel):
    id: Id
    name: str
    username: str
    songs: list[Song]


class PlaylistData(WireModel):
    playlist: PlaylistWithSongs
