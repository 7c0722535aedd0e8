"""What the answers of this service are kept under, and which of them each change outdates.

``*_key`` is the name of a cached answer, ``*_headers`` let gateways keep it under its tags.
"""

from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.edge.tags import public


def album_key(album_id: str) -> str:
    return f"album:{album_id}"


def likes_key(album_id: str) -> str:
    return f"likes:{album_id}"


def album_headers(album_id: str) -> dict[str, str]:
    return public(_album_tag(album_id))


def likes_headers(album_id: str) -> dict[str, str]:
    return public(_likes_tag(album_id))


def song_headers(song_id: str, album_id: str | None) -> dict[str, str]:
    """A song's answer shows its album, so it outdates with that too."""
    return public(_song_tag(song_id), *([_album_tag(album_id)] if album_id else []))


def album_changed(album_id: str) -> Invalidation:
    return Invalidation(keys=(album_key(album_id),), tags=(_album_tag(album_id),))


def likes_changed(album_id: str) -> Invalidation:
    return Invalidation(keys=(likes_key(album_id),), tags=(_likes_tag(album_id),))


def song_changed(song_id: str) -> Invalidation:
    return Invalidation(tags=(_song_tag(song_id),))


def songs_of_album_changed(album_id: str | None) -> Invalidation:
    """An album's answer shows its songs."""
    return album_changed(album_id) if album_id else Invalidation()


def _album_tag(album_id: str) -> str:
    return f"album:{album_id}"


def _likes_tag(album_id: str) -> str:
    return f"likes:{album_id}"


def _song_tag(song_id: str) -> str:
    """Playlists that show the song carry it too."""
    return f"song:{song_id}"
