from typing import Annotated

from pydantic import Field

from openmusic_catalog.songs.schemas import SongCopy
from openmusic_kit.web.schemas import StoredText, WireModel

MAX_WANTED = 1000
"""Songs in one request."""

_Text = Annotated[StoredText, Field(max_length=1000)]


class WantedSong(WireModel):
    title: _Text
    performer: _Text


class WantedSongs(WireModel):
    songs: list[WantedSong] = Field(max_length=MAX_WANTED)


class MatchedSongs(WireModel):
    """For each wanted song what was found, in the same order."""

    songs: list[SongCopy | None]
