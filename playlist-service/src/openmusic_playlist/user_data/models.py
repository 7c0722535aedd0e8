from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OwnPlaylist:
    """``songs`` has objects ``{id, title, performer}``."""

    id: str
    name: str
    description: str
    public: bool
    cover_url: str | None
    songs: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class OwnCollaboration:
    """``username`` is the owner's."""

    id: str
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class OwnActivity:
    """``position`` is its place among all activities."""

    position: int
    playlist_id: str
    title: str
    action: str
    time: datetime
