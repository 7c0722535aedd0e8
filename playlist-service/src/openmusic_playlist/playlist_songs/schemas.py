from openmusic_kit.schemas import AnyId, WireModel
from openmusic_playlist.playlists.schemas import Id, Song


class SongPayload(WireModel):
    song_id: AnyId


class PlaylistWithSongs(WireModel):
    id: Id
    name: str
    username: str
    songs: list[Song]


class PlaylistData(WireModel):
    playlist: PlaylistWithSongs
