from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SongCopy:
    """A song as playlists show it. ``version`` is the catalogue's; a deleted song leaves a tombstone without texts."""

    id: str
    version: int
    title: str = ""
    performer: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class UserCopy:
    """``version`` is that of the service that owns users. A deleted user leaves a tombstone with a neutral name."""

    id: str
    version: int
    username: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ShownName:
    """A playlist that shows the name of a user; ``members`` are those whose lists show it as the owner's."""

    playlist_id: str
    members: list[str]
