"""The file formats of an export: ``FORMATS`` by the name that clients use.

A song is identified by the URN of its id where a format has a place for a URI: there is no audio to point to.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from xml.sax.saxutils import escape

from openmusic_export.playlists import Playlist

FormatName = Literal["json", "csv", "m3u8", "xspf", "jspf"]

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
_UNKNOWN_DURATION = -1


@dataclass(frozen=True)
class Format:
    media_type: str
    extension: str
    render: Callable[[Playlist], str]

    def file_name(self, playlist: Playlist) -> str:
        return f"{playlist.id}.{self.extension}"

    def content(self, playlist: Playlist) -> bytes:
        """In UTF-8."""
        return self.render(playlist).encode()


def _json(playlist: Playlist) -> str:
    """The shape that clients rely on."""
    songs = [{"id": song.id, "title": song.title, "performer": song.performer} for song in playlist.songs]
    return _dumps({"playlist": {"id": playlist.id, "name": playlist.name, "songs": songs}})


def _csv(playlist: Playlist) -> str:
    """RFC 4180, with a header. Nothing is escaped for spreadsheets: an import must read the same titles."""
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(["id", "title", "performer"])
    writer.writerows([song.id, song.title, song.performer] for song in playlist.songs)
    return target.getvalue()


def _m3u8(playlist: Playlist) -> str:
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(playlist.name)}"]
    for song in playlist.songs:
        lines.append(f"#EXTINF:{_UNKNOWN_DURATION},{_one_line(f'{song.performer} - {song.title}')}")
        lines.append(_urn(song.id))
    return "\n".join(lines) + "\n"


def _xspf(playlist: Playlist) -> str:
    """Version 1, https://www.xspf.org/spec."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<playlist version="1" xmlns="http://xspf.org/ns/0/">',
        f" <title>{_xml(playlist.name)}</title>",
        f" <identifier>{_urn(playlist.id)}</identifier>",
        " <trackList>",
        *(
            f"  <track><identifier>{_urn(song.id)}</identifier><title>{_xml(song.title)}</title>"
            f"<creator>{_xml(song.performer)}</creator></track>"
            for song in playlist.songs
        ),
        " </trackList>",
        "</playlist>",
    ]
    return "\n".join(lines) + "\n"


def _jspf(playlist: Playlist) -> str:
    """XSPF as JSON, https://www.xspf.org/jspf."""
    tracks = [
        {"identifier": [_urn(song.id)], "title": song.title, "creator": song.performer} for song in playlist.songs
    ]
    return _dumps({"playlist": {"title": playlist.name, "identifier": _urn(playlist.id), "track": tracks}})


FORMATS: dict[FormatName, Format] = {
    "json": Format("application/json", "json", _json),
    "csv": Format("text/csv", "csv", _csv),
    "m3u8": Format("audio/x-mpegurl", "m3u8", _m3u8),
    "xspf": Format("application/xspf+xml", "xspf", _xspf),
    "jspf": Format("application/jspf+json", "jspf", _jspf),
}


def _dumps(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)


def _urn(identifier: str) -> str:
    return f"urn:openmusic:{identifier}"


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _xml(text: str) -> str:
    """A parser would read a bare carriage return as a line feed; what XML cannot hold becomes U+FFFD."""
    return escape(_NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})
