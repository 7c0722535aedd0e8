"""Exif metadata, reduced to what affects how an image is shown (CIPA DC-008, a TIFF directory)."""

import struct

PREFIX = b"Exif\0"  # and a fill byte: before the TIFF block in JPEG; some encoders write it in WebP too
ORIENTATION = 0x0112
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_EXIF_DIRECTORY = 0x8769
# Browsers honour the density when it agrees with the dimensions (HTML, "density-corrected").
_KEPT = (ORIENTATION, 0x011A, 0x011B, 0x0128)  # XResolution, YResolution, ResolutionUnit
_KEPT_OF_EXIF = (0xA002, 0xA003)  # PixelXDimension, PixelYDimension
_SIZES = {_SHORT: 2, _LONG: 4, _RATIONAL: 8}

Entry = tuple[int, int, bytes]
"""Tag, type, and the value in big-endian order."""


def reduced(block: bytes) -> bytes:
    """Returns the block with orientation and density only. It is empty without either, or if unreadable.

    A prefix stays, as readers may rely on it.
    """
    start = len(PREFIX) + 1 if block.startswith(PREFIX) else 0
    tiff = block[start:]
    try:
        order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        entries, exif_at = _entries(tiff, first, order, _KEPT)
        of_exif = _entries(tiff, exif_at, order, _KEPT_OF_EXIF)[0] if exif_at else []
    except (KeyError, struct.error):
        return b""
    if entries == [(ORIENTATION, _SHORT, b"\0\1")] or not entries:
        return b""
    return block[:start] + _serialized(entries, of_exif)


def _entries(tiff: bytes, at: int, order: str, wanted: tuple[int, ...]) -> tuple[list[Entry], int]:
    """Returns the wanted entries of the directory, and where the Exif directory is (0 if there is none)."""
    found: dict[int, Entry] = {}
    exif_at = 0
    (count,) = struct.unpack_from(order + "H", tiff, at)
    for number in range(count):
        tag, kind, length = struct.unpack_from(order + "HHI", tiff, at + 2 + 12 * number)
        place = at + 10 + 12 * number
        if tag == _EXIF_DIRECTORY and kind == _LONG:
            (exif_at,) = struct.unpack_from(order + "I", tiff, place)
        if tag not in wanted or tag in found or length != 1 or kind not in _SIZES:
            continue
        if kind == _RATIONAL:
            (place,) = struct.unpack_from(order + "I", tiff, place)
        numbers = {_SHORT: "H", _LONG: "I", _RATIONAL: "II"}[kind]
        found[tag] = (tag, kind, struct.pack(">" + numbers, *struct.unpack_from(order + numbers, tiff, place)))
    return [found[tag] for tag in sorted(found)], exif_at


def _serialized(entries: list[Entry], of_exif: list[Entry]) -> bytes:
    """Writes, big-endian: header, first directory, its longer values, Exif directory."""
    size = 2 + 12 * (len(entries) + bool(of_exif)) + 4
    longer = b""
    lines = []
    for tag, kind, value in entries:
        if len(value) > 4:
            lines.append(struct.pack(">HHII", tag, kind, 1, 8 + size + len(longer)))
            longer += value
        else:
            lines.append(struct.pack(">HHI", tag, kind, 1) + value.ljust(4, b"\0"))
    if of_exif:
        lines.append(struct.pack(">HHII", _EXIF_DIRECTORY, _LONG, 1, 8 + size + len(longer)))
    block = b"MM\0*" + struct.pack(">IH", 8, len(lines)) + b"".join(lines) + bytes(4) + longer
    if of_exif:
        inner = [struct.pack(">HHI", tag, kind, 1) + value.ljust(4, b"\0") for tag, kind, value in of_exif]
        block += struct.pack(">H", len(inner)) + b"".join(inner) + bytes(4)
    return block
