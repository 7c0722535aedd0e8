"""Extended M3U in UTF-8. ``#EXTINF`` names the performer and the title of the entry in the line after it."""

import re

from openmusic_playlist.imports.errors import FileInvalid
from openmusic_playlist.imports.formats.decoding import decode
from openmusic_playlist.imports.formats.identifiers import song_id_in
from openmusic_playlist.imports.models import FileRow, PlaylistFile, Texts

MAX_READINGS = 4
"""Of a text with several dashes: each may be the one between performer and title."""
_LINE_END = re.compile(r"\r\n|\r|\n")
_DASH = " - "


def read_m3u8(content: bytes) -> PlaylistFile:
    """Raises FileInvalid."""
    first, *lines = _LINE_END.split(decode(content))
    if first.strip() != "#EXTM3U":
        raise FileInvalid("line 1: must be #EXTM3U")
    name, described, rows = "", "", []
    for line in lines:
        tag, _, value = line.partition(":")
        if tag == "#PLAYLIST":
            name = value
        elif tag == "#EXTINF":
            described = value.partition(",")[2]
        elif line.strip() and not line.startswith("#"):
            rows.append(FileRow(song_id_in(line), _readings(described)))
            described = ""
    return PlaylistFile(name, rows)


def _readings(text: str) -> tuple[Texts, ...]:
    parts = text.split(_DASH)
    splits = range(1, min(len(parts), MAX_READINGS + 1))
    return tuple(Texts(_DASH.join(parts[at:]), _DASH.join(parts[:at])) for at in splits) or (Texts(text, ""),)
