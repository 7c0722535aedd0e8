from dataclasses import dataclass

from openmusic_playlist.playlists.errors import NotYourPlaylist, OwnerOnly


@dataclass(frozen=True, slots=True)
class PlaylistRow:
    """``username`` is the owner's."""

    id: str
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class Access:
    """What a user may do with a playlist."""

    owner_id: str
    is_owner: bool
    is_collaborator: bool

    def require_member(self) -> None:
        """Raises NotYourPlaylist unless the user is its owner or a collaborator."""
        if not (self.is_owner or self.is_collaborator):
            raise NotYourPlaylist

    def require_owner(self) -> None:
        if not self.is_owner:
            raise OwnerOnly
