"""The formats that can be imported, by name and by media type."""

from collections.abc import Callable

from openmusic_playlist.imports.errors import FileInvalid, FormatUnknown
from openmusic_playlist.imports.formats.csv_file import read_csv
from openmusic_playlist.imports.formats.decoding import require_uncompressed
from openmusic_playlist.imports.formats.json_file import read_json, read_jspf
from openmusic_playlist.imports.formats.m3u8_file import read_m3u8
from openmusic_playlist.imports.formats.xspf_file import read_xspf
from openmusic_playlist.imports.models import MAX_ROWS, PlaylistFile

MAX_NAME = 1000  # characters

_READERS: dict[str, Callable[[bytes], PlaylistFile]] = {
    "json": read_json,
    "csv": read_csv,
    "m3u8": read_m3u8,
    "xspf": read_xspf,
    "jspf": read_jspf,
}
FORMATS = tuple(_READERS)
MEDIA_TYPES = {
    "application/json": "json",
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.ms-excel": "csv",  # as browsers on Windows call CSV
    "audio/x-mpegurl": "m3u8",
    "audio/mpegurl": "m3u8",
    "application/x-mpegurl": "m3u8",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/xspf+xml": "xspf",
    "application/jspf+json": "jspf",
}
"""In lower case."""


def format_of(media_type: str) -> str:
    """``media_type`` may have parameters. Raises FormatUnknown."""
    name = MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())
    if name is None:
        raise FormatUnknown
    return name


def read_file(content: bytes, file_format: str) -> PlaylistFile:
    """Raises FileInvalid, also for a file with more than MAX_ROWS songs."""
    require_uncompressed(content)
    file = _READERS[file_format](content)
    if len(file.rows) > MAX_ROWS:
        raise FileInvalid(f"it has more than {MAX_ROWS} songs")
    if len(file.name) > MAX_NAME:
        raise FileInvalid(f"its name has more than {MAX_NAME} characters")
    return file
