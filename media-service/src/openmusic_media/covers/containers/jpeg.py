"""JPEG (ITU-T T.81) in the formats JFIF and Exif."""

import struct
from collections.abc import Iterator

from openmusic_media.covers.containers import exif, icc
from openmusic_media.covers.errors import NotAnImage

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_RESTARTS = range(0xD0, 0xD8)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the others are tables
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ARITHMETIC = frozenset(range(0xC9, 0xD0)) - {0xCC}  # the other frames are Huffman-coded
_COEFFICIENTS = 64  # of a block
_UNSENT = 16  # bits; more than any coefficient has
_APPLICATION = range(0xE0, 0xF0)
_JFIF, _ICC, _ADOBE = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
_MAX_PIECE = 65_533 - 14  # bytes of a colour profile in one segment

Segment = tuple[int, bytes, bytes]
"""Marker, its data, and for a scan the compressed pixels that follow."""


def strip(content: bytes) -> bytes:
    segments = list(_segments(content))
    _require_all_coefficients(segments)
    first: dict[int, bytes] = {}  # readers use the first segment of each kind
    for marker, data, _ in segments:
        if marker not in first and (reduced := _reduced(marker, data)):
            first[marker] = reduced
    profile = icc.trimmed(b"".join(part for _, part in sorted(map(_profile_part, segments)) if part))
    pieces = [profile[start : start + _MAX_PIECE] for start in range(0, len(profile), _MAX_PIECE)]
    colours = [(0xE2, _ICC + bytes((number, len(pieces))) + piece, b"") for number, piece in enumerate(pieces, 1)]
    headers = [(marker, data, b"") for marker, data in sorted(first.items())]
    shown = [each for each in segments if each[0] not in _APPLICATION and each[0] != _COMMENT]
    return _serialized([*headers, *colours, *shown])


def probe(content: bytes, noise: bytes) -> bytes:
    """Returns the same image with noise after each run of compressed pixels, unless they are arithmetic-coded.

    Those end where only zeros would follow (T.81, D.1.8): the decoder of a complete image may read on.
    """
    segments = list(_segments(content))
    if any(marker in _ARITHMETIC for marker, _, _ in segments):
        return content
    noisy = []
    for marker, data, pixels in segments:
        runs = _runs(pixels) if pixels else []
        noisy.append((marker, data, b"".join(run + noise + restart for run, restart in runs)))
    return _serialized(noisy)


def _segments(content: bytes) -> Iterator[Segment]:
    """Stops at the end of the first image: cameras append further views.

    A missing end is tolerated, unless the end alone shows that the pixels are complete.
    """
    at, end_required = 2, False
    while at < len(content):
        if content[at] != 0xFF:
            at += 1  # readers skip bytes between segments
            continue
        marker = content[at + 1]
        if marker in {0xFF, 0x00, 0x01, _START} or marker in _RESTARTS:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _END:
            return
        (length,) = struct.unpack_from(">H", content, at + 2)
        data = content[at + 4 : at + 2 + length]
        if length < 2 or len(data) != length - 2:
            raise NotAnImage
        at += 2 + length
        end_required |= marker in _ARITHMETIC
        end = _end_of_pixels(content, at) if marker == _SCAN else at
        yield marker, data, content[at:end]
        at = end
    if end_required:
        raise NotAnImage


def _require_all_coefficients(segments: list[Segment]) -> None:
    """Scans send the components, and in a progressive image bands of coefficients and their bits (T.81, G.1.1.1).

    A decoder shows an image of which whole scans are missing: without a component, or with coarser detail.
    """
    missing: dict[int, list[int]] = {}  # by component, the low bits of each coefficient that are still to come
    progressive = False
    for marker, data, _ in segments:
        if marker in _FRAMES:
            missing = {component: [_UNSENT] * _COEFFICIENTS for component in data[6 : 6 + 3 * data[5] : 3]}
            progressive = marker in _PROGRESSIVE
        elif marker == _SCAN:
            count = data[0]
            first, last, bits = data[1 + 2 * count :] if progressive else (0, _COEFFICIENTS - 1, 0)
            high, low = divmod(bits, 16)
            for component in data[1 : 1 + 2 * count : 2]:
                band = missing[component][first : last + 1]
                if high and set(band) != {high}:
                    raise NotAnImage
                missing[component][first : last + 1] = [low] * len(band)
    if any(map(any, missing.values())):
        raise NotAnImage


def _end_of_pixels(content: bytes, at: int) -> int:
    """Returns the offset of the next marker that is neither a restart nor a stuffed byte."""
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        following = content[at + 1]
        if following == 0 or following in _RESTARTS:
            at += 2
        elif following == 0xFF:
            at += 1
        else:
            return at
    return len(content)


def _runs(pixels: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the runs between restarts, each with the restart that ends it."""
    begin = at = 0
    while (at := pixels.find(b"\xff", at)) >= 0 and at + 1 < len(pixels):
        if pixels[at + 1] in _RESTARTS:
            yield pixels[begin:at], pixels[at : at + 2]
            begin = at + 2
        at += 1 if pixels[at + 1] == 0xFF else 2
    yield pixels[begin:], b""


def _profile_part(segment: Segment) -> tuple[int, bytes]:
    """Returns the number and content of a piece of the colour profile. The content of other segments is empty."""
    marker, data, _ = segment
    if marker == 0xE2 and data.startswith(_ICC) and len(data) > 14:
        return data[12], data[14:]
    return 0, b""


def _reduced(marker: int, data: bytes) -> bytes:
    """Returns what to keep of an application segment other than a colour profile."""
    if marker == 0xE0 and data.startswith(_JFIF) and len(data) >= 14:
        return data[:12] + b"\0\0"  # without its thumbnail
    if marker == 0xE1 and data.startswith(exif.PREFIX):
        return exif.reduced(data)
    if marker == 0xEE and data.startswith(_ADOBE):
        return data[:12]
    return b""


def _serialized(segments: list[Segment]) -> bytes:
    body = b"".join(
        bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data + pixels for marker, data, pixels in segments
    )
    return bytes((0xFF, _START)) + body + bytes((0xFF, _END))
