"""XSPF, https://www.xspf.org/spec: as it is parsed, without a tree. Elements that are not known are ignored."""

from xml.parsers import expat

from openmusic_playlist.imports.errors import FileInvalid
from openmusic_playlist.imports.formats.identifiers import song_id_in
from openmusic_playlist.imports.models import FileRow, PlaylistFile, Texts

MAX_DEPTH = 32
"""Elements inside one another; a playlist has four."""
MAX_ELEMENTS = 400_000
"""Of a file; a song may have forty."""
_NAMESPACE = "http://xspf.org/ns/0/ "
_PLAYLIST = ("playlist",)
_TRACK = ("playlist", "trackList", "track")
_TEXTS = {(*_PLAYLIST, "title"), *((*_TRACK, name) for name in ("identifier", "location", "title", "creator"))}


def read_xspf(content: bytes) -> PlaylistFile:
    """Raises FileInvalid. A document type is refused: only there entities are declared."""
    return _Reader().read(content)


class _Reader:
    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._add_text
        self._elements = 0
        self._path: tuple[str, ...] = ()
        self._text: list[str] = []
        self._track: dict[str, str] = {}
        self._name = ""
        self._rows: list[FileRow] = []

    def read(self, content: bytes) -> PlaylistFile:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise FileInvalid(f"line {error.lineno}: {expat.ErrorString(error.code)}") from None
        except (ValueError, LookupError):  # an encoding that Python does not know, or that has several bytes
            raise self._invalid("the encoding is not known") from None
        return PlaylistFile(self._name, self._rows)

    def _invalid(self, problem: str) -> FileInvalid:
        return FileInvalid(f"line {self._parser.CurrentLineNumber}: {problem}")

    def _refuse_doctype(self, *_: object) -> None:
        raise self._invalid("a document type is not allowed")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._path = (*self._path, name.removeprefix(_NAMESPACE))
        if self._path[0] != "playlist":
            raise self._invalid("the first element must be playlist")
        self._elements += 1
        if len(self._path) > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise self._invalid(f"more than {MAX_DEPTH} elements inside one another, or {MAX_ELEMENTS} in all")
        self._text = []

    def _add_text(self, text: str) -> None:
        if self._path in _TEXTS:
            self._text.append(text)

    def _end(self, _: str) -> None:
        text, name = "".join(self._text), self._path[-1]
        if self._path == (*_PLAYLIST, "title"):
            self._name = text
        elif self._path in _TEXTS:
            if name in ("identifier", "location"):
                name, text = "id", self._track.get("id") or song_id_in(text)
            self._track[name] = text
        elif self._path == _TRACK:
            texts = Texts(self._track.get("title", ""), self._track.get("creator", ""))
            self._rows.append(FileRow(self._track.get("id", ""), (texts,)))
            self._track = {}
        self._path, self._text = self._path[:-1], []
