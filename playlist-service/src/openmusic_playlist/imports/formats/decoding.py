"""From bytes to text: UTF-8, or UTF-16 with a byte order mark, which spreadsheets write."""

import codecs

from openmusic_playlist.imports.errors import FileInvalid

MAX_LINES = 200_000
"""Of a file; a song takes about ten where it takes most."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COMPRESSED = (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c")
"""How archives and compressed files begin: zip, gzip, zstd, bzip2, xz, 7z."""


def require_uncompressed(content: bytes) -> None:
    if content.startswith(_COMPRESSED):
        raise FileInvalid("line 1: it is compressed; send the file that is inside")


def decode(content: bytes) -> str:
    """Without the byte order mark. Raises FileInvalid, also for a NUL or more than MAX_LINES lines."""
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, "replace")
        raise FileInvalid(
            f"line {line_number(before)}: it is neither UTF-8 nor UTF-16 with a byte order mark"
        ) from None
    before, nul, _ = text.partition("\0")
    if nul:
        raise FileInvalid(f"line {line_number(before)}: it has a NUL character")
    if line_number(text) > MAX_LINES:
        raise FileInvalid(f"it has more than {MAX_LINES} lines")
    return text


def line_number(before: str) -> int:
    """Of what comes after this text, from 1. Lines end with LF, CR or both."""
    return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")
