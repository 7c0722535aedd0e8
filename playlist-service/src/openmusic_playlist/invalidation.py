"""Cache keys and edge tags of this service's responses, and those that each change invalidates.

``songs_key`` names an entry in Redis; ``*_headers`` allow gateways to keep a response under its tags.
"""

from collections.abc import Iterable

from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.edge.tags import private


def songs_key(playlist_id: str) -> str:
    """Holds the songs of a playlist, and the members who may read them."""
    return f"songs:{playlist_id}"


def songs_headers(playlist_id: str, song_ids: Iterable[str]) -> dict[str, str]:
    """Changes in the catalogue purge the tags of the songs."""
    return private(_playlist_tag(playlist_id), *(f"song:{song_id}" for song_id in song_ids))


def activities_headers(playlist_id: str) -> dict[str, str]:
    return private(_playlist_tag(playlist_id))


def playlists_headers(user_id: str) -> dict[str, str]:
    return private(_playlists_tag(user_id))


def playlist_changed(playlist_id: str, *members: str) -> Invalidation:
    """``members`` are the ids of the users whose list of playlists changes."""
    tags = (_playlist_tag(playlist_id), *map(_playlists_tag, members))
    return Invalidation(keys=(songs_key(playlist_id),), tags=tags)


def playlist_added(owner_id: str) -> Invalidation:
    return Invalidation(tags=(_playlists_tag(owner_id),))


def _playlist_tag(playlist_id: str) -> str:
    """Tags the songs and activities of a playlist."""
    return f"playlist:{playlist_id}"


def _playlists_tag(user_id: str) -> str:
    """Tags the list of the playlists that a user owns or shares."""
    return f"playlists:{user_id}"
