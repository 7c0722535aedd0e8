"""PNG and APNG (W3C Portable Network Graphics, third edition)."""

import struct
import zlib
from collections.abc import Iterator

from openmusic_media.covers.containers import exif, icc
from openmusic_media.covers.containers.bounds import require_decodable
from openmusic_media.covers.errors import NotAnImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"})
_APPEARANCE = frozenset(
    {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"pHYs", b"eXIf"}
)
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 1_048_576  # bytes decompressed at a time
_MAX_PROFILE = 4_194_304  # bytes of a decompressed colour profile

Chunk = tuple[bytes, bytes]
"""Type and data."""


def strip(content: bytes) -> bytes:
    chunks = list(_kept(content))
    if [kind for kind, _ in chunks[:1] + chunks[-1:]] != [b"IHDR", b"IEND"]:
        raise NotAnImage
    header = chunks[0][1]
    frames = sum(kind == b"fcTL" for kind, _ in chunks)
    require_decodable(*_size(header), max(1, frames))
    if any(kind == b"acTL" and struct.unpack(">I", data[:4])[0] != frames for kind, data in chunks):
        raise NotAnImage
    return SIGNATURE + b"".join(map(_serialized, _with_whole_pixels(chunks, header)))


def _kept(content: bytes) -> Iterator[Chunk]:
    """Yields the chunks up to IEND that affect how the image looks."""
    at = len(SIGNATURE)
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, at + 8 + length)
        at += 12 + length
        intact = zlib.crc32(data, zlib.crc32(kind)) == checksum
        if kind in _PIXELS:
            if not intact:
                raise NotAnImage
            yield kind, data
        elif not kind[:1].islower():
            raise NotAnImage  # an unknown critical chunk
        elif kind in _APPEARANCE and intact and (reduced := _reduced(kind, data)):
            yield kind, reduced
        if kind == b"IEND":
            return
    raise NotAnImage


def _reduced(kind: bytes, data: bytes) -> bytes:
    if kind == b"eXIf":
        return exif.reduced(data)
    if kind == b"iCCP":
        return _profile(data)
    return data


def _profile(data: bytes) -> bytes:
    """Keeps the bytes unless there is data after the profile."""
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(data[data.index(b"\0") + 2 :], _MAX_PROFILE)
    except (ValueError, zlib.error):
        return b""
    kept = icc.trimmed(profile)
    if not kept or not unpacker.eof:
        return b""
    if len(kept) == len(profile) and not unpacker.unused_data:
        return b"icc\0" + data[data.index(b"\0") + 1 :]
    return b"icc\0\0" + zlib.compress(kept)


def _with_whole_pixels(chunks: list[Chunk], header: bytes) -> Iterator[Chunk]:
    """Cuts off data after the compressed pixels."""
    whole = frame = _size(header)
    run: list[bytes] = []
    for (kind, data), (following, _) in zip(chunks, [*chunks[1:], chunks[-1]], strict=True):
        if kind == b"fcTL":
            frame = _size(data[4:12])
        if kind not in {b"IDAT", b"fdAT"}:
            yield kind, data
            continue
        run.append(data)
        if following == kind:
            continue
        prefix, size = (0, whole) if kind == b"IDAT" else (4, frame)  # a sequence number precedes the pixels of a frame
        packed = b"".join(each[prefix:] for each in run)
        left = len(packed) - _surplus(packed, _expected(*size, header))
        for each in run:
            yield kind, each[: prefix + max(0, left)]
            left -= len(each) - prefix
        run = []


def _size(data: bytes) -> tuple[int, int]:
    """Width and height."""
    width, height = struct.unpack(">II", data[:8])
    return width, height


def _surplus(packed: bytes, expected: int) -> int:
    """Returns how many bytes follow the pixels. Raises NotAnImage unless there are as many pixels as expected."""
    unpacker = zlib.decompressobj()
    found, rest = 0, packed
    while not unpacker.eof:
        piece = unpacker.decompress(rest, _PIECE)
        rest = unpacker.unconsumed_tail
        found += len(piece)
        if found > expected or (not piece and not rest and not unpacker.eof):
            raise NotAnImage
    if found != expected:
        raise NotAnImage
    return len(unpacker.unused_data)


def _expected(width: int, height: int, header: bytes) -> int:
    """Returns the number of bytes in all filtered scanlines."""
    depth, colour, interlaced = header[8], header[9], header[12]
    bits = depth * _SAMPLES[colour]
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for left, top, across, down in _ADAM7:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _serialized(chunk: Chunk) -> bytes:
    kind, data = chunk
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
