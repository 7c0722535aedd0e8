"""Cache keys and edge tags of the answers of this service, and which of them each change invalidates.

``*_key`` names a cached answer. ``*_headers`` allow gateways to cache an answer under its tags.
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
    """The answer names the album of the song, so a change of the album invalidates it as well."""
    return public(_song_tag(song_id), *([_album_tag(album_id)] if album_id else []))


def albums_headers() -> dict[str, str]:
    """Every change of an album invalidates every list of albums."""
    return public("album")


def songs_headers() -> dict[str, str]:
    """Every change of a song invalidates every list of songs."""
    return public("song")


def search_headers() -> dict[str, str]:
    """Every change of a song or an album invalidates every search."""
    return public("song", "album")


def album_changed(album_id: str) -> Invalidation:
    return Invalidation(keys=(album_key(album_id),), tags=(_album_tag(album_id),))


def likes_changed(album_id: str) -> Invalidation:
    return Invalidation(keys=(likes_key(album_id),), tags=(_likes_tag(album_id),))


def song_changed(song_id: str) -> Invalidation:
    return Invalidation(tags=(_song_tag(song_id),))


def songs_of_album_changed(album_id: str | None) -> Invalidation:
    """An album's answer lists its songs."""
    return album_changed(album_id) if album_id else Invalidation()


def _album_tag(album_id: str) -> str:
    return f"album:{album_id}"


def _likes_tag(album_id: str) -> str:
    return f"likes:{album_id}"


def _song_tag(song_id: str) -> str:
    """The playlist service tags playlists that list the song with it as well."""
    return f"song:{song_id}"
