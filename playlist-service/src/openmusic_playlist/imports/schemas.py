from typing import Annotated, Any

from pydantic import Field

from openmusic_kit.web.schemas import StoredText, WireModel
from openmusic_playlist.imports.formats.reading import FORMATS, MAX_NAME, MEDIA_TYPES
from openmusic_playlist.imports.models import MAX_ROWS
from openmusic_playlist.playlists.schemas import Id
from openmusic_playlist.projections.schemas import SongAnswer

Format = Annotated[str, Field(pattern=f"^({'|'.join(FORMATS)})?$", description="Goes before the Content-Type")]
Name = Annotated[
    StoredText,
    Field(max_length=MAX_NAME, description="By default that of the file", json_schema_extra={"pattern": r"^[^\x00]*$"}),
]


class MissingSong(WireModel):
    position: int = Field(description="In the file, from 1")
    title: str
    performer: str


class ImportedPlaylist(WireModel):
    playlist_id: Id
    added: int
    duplicates: int = Field(description="Rows whose song an earlier row has added already")
    not_found: int = Field(description="Rows whose song the catalogue does not have")
    missing: list[MissingSong] = Field(description="The first 100 of them, and the first 200 characters of their texts")


class MatchesAnswer(WireModel):
    """What the catalogue says to a list of texts, in its order."""

    songs: list[SongAnswer | None]


_TEXT = {"type": "string", "pattern": r"^[^\x00]*$"}
_SONG = {"type": "object", "properties": {"id": _TEXT, "title": _TEXT, "performer": _TEXT}}
_PLAYLIST = {
    "type": "object",
    "required": ["songs"],
    "properties": {
        "name": _TEXT | {"maxLength": MAX_NAME},
        "songs": {"type": "array", "items": _SONG, "maxItems": MAX_ROWS},
    },
}
_JSON = {"type": "object", "required": ["playlist"], "properties": {"playlist": _PLAYLIST}}
_FILE = {"type": "string", "format": "binary"}
FILE: dict[str, Any] = {
    "required": True,
    "content": {
        media_type: {"schema": _JSON if media_type == "application/json" else _FILE} for media_type in MEDIA_TYPES
    },
}
"""The body of a request."""
