from collections.abc import Sequence
from dataclasses import dataclass

from openmusic_playlist.playlist_songs.errors import SongsNotFound
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound


@dataclass(frozen=True, slots=True)
class StoredPlaylist:
    """``members`` are the ids of its owner and collaborators, ``songs`` is a JSON array as PostgreSQL wrote it.

    ``compared_in`` is the incarnation of pending changes in which its songs were last compared with the catalogue.
    """

    id: str
    name: str
    username: str
    compared_in: str | None
    public: bool
    members: list[str]
    song_ids: list[str]
    songs: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether there is such a playlist, and the user is among its members."""

    playlist: bool
    member: bool

    def require_member(self) -> None:
        """Raises PlaylistNotFound or NotYourPlaylist: an earlier check may be out of date."""
        if not self.playlist:
            raise PlaylistNotFound
        if not self.member:
            raise NotYourPlaylist


@dataclass(frozen=True, slots=True)
class ChangeResult(Membership):
    """``found`` are the ids of the songs that the change could be made for. It is made for all songs, or for none."""

    found: list[str]
    changed: bool

    def require_all(self, song_ids: Sequence[str]) -> None:
        """Raises SongsNotFound unless each of these was found."""
        if not self.changed:
            found = set(self.found)
            raise SongsNotFound(each for each in song_ids if each not in found)
