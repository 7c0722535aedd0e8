"""CSV as our exports, Exportify, TuneMyMusic, Soundiiz and spreadsheets write it: columns have known headers."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from openmusic_playlist.imports.errors import FileInvalid
from openmusic_playlist.imports.formats.decoding import decode
from openmusic_playlist.imports.formats.identifiers import song_id_in
from openmusic_playlist.imports.models import MAX_ROWS, FileRow, PlaylistFile, Texts

DELIMITERS = ",;\t"
MAX_HEADER = 10_000  # characters
_IDS = ("id", "song id", "songid")
_TITLES = ("title", "track name", "song name", "track", "song", "name")
_PERFORMERS = (
    *("performer", "artist name(s)", "artist name", "artist", "artists", "artist names", "artist(s) name"),
    "track artist",
)
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?(\r\n|\r|\n)')  # what Excel takes as a hint
_BETWEEN_PERFORMERS = re.compile(r"[;,]\s*")


def read_csv(content: bytes) -> PlaylistFile:
    """Raises FileInvalid."""
    text = decode(content)
    hint = _SEPARATOR_LINE.match(text)
    delimiters, text, skipped = (hint[1], text[hint.end() :], 1) if hint else (DELIMITERS, text, 0)
    for delimiter in delimiters:
        columns = _Columns(next(csv.reader(text[:MAX_HEADER].splitlines(), delimiter=delimiter), []))
        if columns.known:
            records = filter(any, islice(_records(text, delimiter, skipped), 1, None))
            return PlaylistFile("", [columns.row(record) for record in islice(records, MAX_ROWS + 1)])
    raise FileInvalid(f"line {skipped + 1}: no column is known by its header, such as id, title or Track Name")


class _Columns:
    def __init__(self, header: Sequence[str]) -> None:
        header = [name.strip().casefold() for name in header]
        self._id, self._title, self._performer = (
            next((header.index(name) for name in names if name in header), None)
            for names in (_IDS, _TITLES, _PERFORMERS)
        )
        self.known = self._title is not None or self._id is not None

    def row(self, record: Sequence[str]) -> FileRow:
        def cell(column: int | None) -> str:
            return record[column] if column is not None and column < len(record) else ""

        title, performer = cell(self._title), cell(self._performer)
        first = _BETWEEN_PERFORMERS.split(performer, maxsplit=1)[0]
        readings = dict.fromkeys([Texts(title, performer), Texts(title, first)])
        return FileRow(song_id_in(cell(self._id)), tuple(readings))


def _records(text: str, delimiter: str, skipped: int) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = skipped + reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise FileInvalid(f"line {line}: {error}") from None
        if record is None:
            return
        yield record
