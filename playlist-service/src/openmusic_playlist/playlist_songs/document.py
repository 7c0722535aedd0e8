from openmusic_kit.web.schemas import DataResponse, WireModel
from openmusic_playlist.playlist_songs.models import StoredPlaylist
from openmusic_playlist.playlist_songs.schemas import PlaylistCopy, PlaylistData, PlaylistWithSongs


def encode_for_client(playlist: StoredPlaylist) -> bytes:
    shown = PlaylistWithSongs(id=playlist.id, name=playlist.name, username=playlist.username, songs=[])
    return _with_songs(DataResponse(data=PlaylistData(playlist=shown)), playlist.songs)


def encode_for_export(playlist: StoredPlaylist) -> bytes:
    copy = PlaylistCopy(id=playlist.id, name=playlist.name, songs=[])
    return _with_songs(DataResponse(data=copy), playlist.songs)


def _with_songs(empty: WireModel, songs: str) -> bytes:
    """Puts the JSON array ``songs`` into a document whose last array is empty, without parsing it."""
    head, _, tail = empty.model_dump_json(by_alias=True).rpartition("[]")
    return f"{head}{songs}{tail}".encode()
