"""Files of songs: CSV with a header, or JSON objects, one a line. The names of fields are those of ``POST /songs``."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from openmusic_catalog.songs.repository import SongFields
from openmusic_catalog.songs.schemas import SongPayload
from openmusic_kit.errors import Invalid
from openmusic_kit.web.schemas import describe

FIELDS = ("title", "year", "genre", "performer", "duration", "albumId")
NUMBERS = ("year", "duration")
JSON_LINES = {".jsonl", ".ndjson"}


@dataclass(frozen=True)
class Row:
    """``number`` counts from 1. ``song`` is the song, or the reason why ``content`` is none."""

    number: int
    content: object
    song: SongFields | str


class FileUnusable(Invalid):
    pass


def hash_of(path: Path) -> bytes:
    """Raises FileUnusable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from error


def read_rows(path: Path) -> Iterator[Row]:
    """Raises FileUnusable."""
    read = _json_rows if path.suffix.lower() in JSON_LINES else _csv_rows
    try:
        yield from (Row(number, content, _song(content)) for number, content in enumerate(read(path), start=1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileUnusable(f"{path}: {error}") from error


def _json_rows(path: Path) -> Iterator[object]:
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield line.rstrip("\n")


def _csv_rows(path: Path) -> Iterator[object]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := {"title", "year", "genre", "performer"} - set(reader.fieldnames or ()):
            raise FileUnusable(f"{path} has no column {', '.join(sorted(missing))}; it may have {', '.join(FIELDS)}")
        for row in reader:
            yield {name: _number(value) if name in NUMBERS else value for name, value in row.items() if value}


def _number(text: str) -> int | str:
    """What is no number is told to be none by the check of the row."""
    try:
        return int(text)
    except ValueError:
        return text


def _song(content: object) -> SongFields | str:
    try:
        return SongFields(**SongPayload.model_validate(content).model_dump())
    except ValidationError as error:
        return describe(error)
