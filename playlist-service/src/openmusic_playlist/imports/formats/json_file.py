"""The JSON of our exports, and JSPF (https://www.xspf.org/jspf). What else they hold is ignored."""

from typing import TypeVar

from pydantic import Field, ValidationError

from openmusic_kit.web.schemas import StoredText, WireModel, describe
from openmusic_playlist.imports.errors import FileInvalid
from openmusic_playlist.imports.formats.decoding import decode
from openmusic_playlist.imports.formats.identifiers import song_id_in
from openmusic_playlist.imports.models import MAX_ROWS, FileRow, PlaylistFile, Texts

MAX_PARTS = 1_000_000
"""Brackets and commas of a file: each may become an object many times its size."""


class _Song(WireModel):
    id: StoredText = ""
    title: StoredText = ""
    performer: StoredText = ""

    def row(self) -> FileRow:
        return FileRow(song_id_in(self.id), (Texts(self.title, self.performer),))


class _Track(WireModel):
    """JSPF has a list of identifiers; some programs write a single text, or null for what is missing."""

    identifier: list[StoredText] | StoredText | None = None
    title: StoredText | None = None
    creator: StoredText | None = None

    def row(self) -> FileRow:
        named = [self.identifier] if isinstance(self.identifier, str) else self.identifier or []
        song_id = next(filter(None, map(song_id_in, named)), "")
        return FileRow(song_id, (Texts(self.title or "", self.creator or ""),))


class _Export(WireModel):
    name: StoredText = ""
    songs: list[_Song] = Field(max_length=MAX_ROWS)


class _Jspf(WireModel):
    title: StoredText | None = None
    track: list[_Track] = Field(default_factory=list, max_length=MAX_ROWS)


class _ExportFile(WireModel):
    playlist: _Export


class _JspfFile(WireModel):
    playlist: _Jspf


_File = TypeVar("_File", _ExportFile, _JspfFile)


def read_json(content: bytes) -> PlaylistFile:
    """Raises FileInvalid."""
    playlist = _parse(_ExportFile, content).playlist
    return PlaylistFile(playlist.name, [song.row() for song in playlist.songs])


def read_jspf(content: bytes) -> PlaylistFile:
    """Raises FileInvalid."""
    playlist = _parse(_JspfFile, content).playlist
    return PlaylistFile(playlist.title or "", [track.row() for track in playlist.track])


def _parse(shape: type[_File], content: bytes) -> _File:
    text = decode(content)
    if sum(map(text.count, "{[,")) > MAX_PARTS:
        raise FileInvalid(f"it has more than {MAX_PARTS} brackets and commas")
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        raise FileInvalid(describe(error)) from None
