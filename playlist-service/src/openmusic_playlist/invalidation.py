"""What the answers of this service are kept under, and which of them each change outdates.

``songs_key`` is the name of a cached answer, ``*_headers`` let gateways keep an answer under its tags.
"""

from collections.abc import Iterable

from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.edge.tags import private


def songs_key(playlist_id: str) -> str:
    """The songs of a playlist, and its members."""
    return f"songs:{playlist_id}"


def songs_headers(playlist_id: str, song_ids: Iterable[str]) -> dict[str, str]:
    """The catalogue purges the tags of the songs."""
    return private(_playlist_tag(playlist_id), *(f"song:{song_id}" for song_id in song_ids))


def activities_headers(playlist_id: str) -> dict[str, str]:
    return private(_playlist_tag(playlist_id))


def playlists_headers(user_id: str) -> dict[str, str]:
    return private(_playlists_tag(user_id))


def playlist_changed(playlist_id: str, *members: str) -> Invalidation:
    """``members`` are the users whose list of playlists it changes."""
    tags = (_playlist_tag(playlist_id), *map(_playlists_tag, members))
    return Invalidation(keys=(songs_key(playlist_id),), tags=tags)


def playlist_added(owner_id: str) -> Invalidation:
    return Invalidation(tags=(_playlists_tag(owner_id),))


def _playlist_tag(playlist_id: str) -> str:
    """Its songs and activities, for everyone who may read them."""
    return f"playlist:{playlist_id}"


def _playlists_tag(user_id: str) -> str:
    """The list of what a user owns or shares."""
    return f"playlists:{user_id}"
