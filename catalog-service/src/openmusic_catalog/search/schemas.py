from typing import Annotated

from pydantic import Field

from openmusic_catalog.albums.schemas import AlbumSummary
from openmusic_catalog.songs.schemas import SongSummary
from openmusic_kit.web.schemas import Text, WireModel

MAX_RESULTS = 50
Query = Annotated[Text, Field(max_length=200)]
Results = Annotated[int, Field(ge=1, le=MAX_RESULTS)]
"""Results of each kind."""


class Performer(WireModel):
    name: str


class SearchData(WireModel):
    songs: list[SongSummary]
    albums: list[AlbumSummary]
    performers: list[Performer]
