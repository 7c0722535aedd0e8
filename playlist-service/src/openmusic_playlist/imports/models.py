import json
from dataclasses import asdict, dataclass, field
from typing import NamedTuple, Self

MAX_ROWS = 10_000
"""Songs in one file. A reader may stop after one more."""


class Texts(NamedTuple):
    title: str
    performer: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """A song as a file describes it: by an id of ours or an empty text, and by what its texts may be, likeliest first.

    A file that has title and performer in one text, or several performers, leaves more than one reading.
    """

    song_id: str
    readings: tuple[Texts, ...]


@dataclass(frozen=True, slots=True)
class PlaylistFile:
    """``name`` is empty if the file has none."""

    name: str
    rows: list[FileRow]


@dataclass(frozen=True, slots=True)
class MissingRow:
    """A row whose song was not found. ``position`` counts the songs of the file from 1."""

    position: int
    title: str
    performer: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """``duplicates`` are rows whose song an earlier row has added, ``missing`` the first of those not found."""

    playlist_id: str
    added: int
    duplicates: int
    not_found: int
    missing: list[MissingRow] = field(default_factory=list)

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Self:
        fields = json.loads(text)
        return cls(**{**fields, "missing": [MissingRow(**each) for each in fields["missing"]]})
