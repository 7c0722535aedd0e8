"""WebP (RFC 9649): a RIFF file of chunks."""

import struct
from collections.abc import Iterator

from openmusic_media.covers.containers import exif, icc
from openmusic_media.covers.errors import NotAnImage

_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_EXIF_FLAG, _XMP_FLAG, _PROFILE_FLAG = 0x08, 0x04, 0x20
_FRAME_HEADER = 16  # bytes of an ANMF chunk before the chunks of its frame

Chunk = tuple[bytes, bytes]
"""Type and data."""


def strip(content: bytes) -> bytes:
    kept = [(kind, reduced) for kind, data in _chunks(content[12:]) if (reduced := _reduced(kind, data))]
    kinds = {kind for kind, _ in kept}
    if not kinds & {b"VP8 ", b"VP8L", b"ANMF"}:
        raise NotAnImage
    return _serialized([(kind, _with_cleared_flags(data, kinds) if kind == b"VP8X" else data) for kind, data in kept])


def probe(content: bytes, noise: bytes) -> bytes:
    """Returns the same image with noise after each run of compressed pixels."""

    def noisy(kind: bytes, data: bytes) -> Chunk:
        if kind == b"ANMF":
            frame = [noisy(*each) for each in _chunks(data[_FRAME_HEADER:])]
            return kind, data[:_FRAME_HEADER] + _joined(frame)
        return kind, data + noise if kind in _PIXELS else data

    return _serialized([noisy(*each) for each in _chunks(content[12:])])


def _chunks(content: bytes) -> Iterator[Chunk]:
    """Raises NotAnImage when a chunk that affects the pixels is truncated. Others are ignored."""
    at = 0
    while at + 8 <= len(content):
        kind, length = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        data = content[at + 8 : at + 8 + length]
        if len(data) < length:
            if kind in _PIXELS or kind in {b"ANMF", b"VP8X", b"ANIM"}:
                raise NotAnImage
            return
        yield kind, data
        at += 8 + length + length % 2


def _reduced(kind: bytes, data: bytes) -> bytes:
    if kind == b"EXIF":
        return exif.reduced(data)
    if kind == b"ICCP":
        return icc.trimmed(data)
    if kind == b"ANMF":
        frame = [each for each in _chunks(data[_FRAME_HEADER:]) if each[0] in _PIXELS]
        return data[:_FRAME_HEADER] + _joined(frame)
    return data if kind in _PIXELS or kind in {b"VP8X", b"ANIM"} else b""


def _with_cleared_flags(header: bytes, kinds: set[bytes]) -> bytes:
    """Clears the flags of chunks that were removed."""
    flags = header[0] & ~_XMP_FLAG
    if b"EXIF" not in kinds:
        flags &= ~_EXIF_FLAG
    if b"ICCP" not in kinds:
        flags &= ~_PROFILE_FLAG
    return bytes((flags,)) + header[1:10]


def _joined(chunks: list[Chunk]) -> bytes:
    return b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)


def _serialized(chunks: list[Chunk]) -> bytes:
    body = b"WEBP" + _joined(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
