from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SongCopy:
    """A song as playlists show it. ``version`` is the catalogue's; a deleted song leaves a tombstone without texts."""

    id: str
    version: int
    title: str = ""
    performer: str = ""
    deleted: bool = False
