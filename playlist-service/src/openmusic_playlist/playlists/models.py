from dataclasses import dataclass
from datetime import datetime

from openmusic_playlist.playlists.errors import NotYourPlaylist, OwnerOnly


@dataclass(frozen=True, slots=True)
class PlaylistRow:
    """``username`` is the owner's."""

    id: str
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class PlaylistDetails:
    """``revision`` grows with each change of its songs or details; ``changed_at`` is None before the first."""

    id: str
    name: str
    description: str
    public: bool
    owner_id: str
    username: str
    song_count: int
    collaborator_count: int
    revision: int
    changed_at: datetime | None
    cover_url: str | None


@dataclass(frozen=True, slots=True)
class CoverChange:
    """``position`` is that of the change among all activities; None if nothing changed."""

    position: int | None
    previous_path: str | None


@dataclass(frozen=True, slots=True)
class CoverReference:
    """``id`` is the playlist's."""

    id: str
    path: str


@dataclass(frozen=True, slots=True)
class CopyResult:
    """What the statement found: a user who is not deleted, the playlist; and whether the user may read it."""

    user: bool
    playlist: bool
    copied: bool


@dataclass(frozen=True, slots=True)
class DetailChanges:
    """None keeps the present value."""

    name: str | None = None
    description: str | None = None
    public: bool | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What a user may do with a playlist."""

    owner_id: str
    public: bool
    is_owner: bool
    is_collaborator: bool

    def require_reader(self) -> None:
        """Raises NotYourPlaylist unless the playlist is public or the user a member."""
        if not self.public:
            self.require_member()

    def require_member(self) -> None:
        """Raises NotYourPlaylist unless the user is its owner or a collaborator."""
        if not (self.is_owner or self.is_collaborator):
            raise NotYourPlaylist

    def require_owner(self) -> None:
        if not self.is_owner:
            raise OwnerOnly
