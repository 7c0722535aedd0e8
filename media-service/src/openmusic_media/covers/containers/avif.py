"""AVIF (AV1 Image File Format 1.1): boxes of ISO/IEC 14496-12, items of ISO/IEC 23008-12.

Offsets throughout the file count from its beginning. So nothing moves: removed data is overwritten with zeros.
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from openmusic_media.covers.containers import icc
from openmusic_media.covers.errors import NotAnImage

_META = frozenset({b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp", b"iref", b"idat", b"grpl"})
_PROPERTIES = frozenset(
    {b"ispe", b"pixi", b"pasp", b"clap", b"irot", b"imir", b"colr", b"av1C", b"auxC", b"a1op", b"lsel", b"a1lx"}
    | {b"clli", b"mdcv", b"cclv", b"amve"}
)
_METADATA_ITEMS = frozenset({b"Exif", b"mime", b"uri "})
_DESCRIPTIONS = frozenset({b"udta", b"uuid", b"meta", b"free", b"skip"})
_WITH_TIMESTAMPS = frozenset({b"mvhd", b"tkhd", b"mdhd"})
_CONTAINERS = frozenset({b"trak", b"mdia", b"minf", b"stbl"})

Span = tuple[int, int]
"""Start and end offset."""


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    body: int
    end: int


def strip(content: bytes) -> bytes:
    """Keeps only the data that images and frames are decoded from."""
    boxes = list(_boxes(content, 0, len(content)))
    kept = [box for box in boxes if box.kind in {b"ftyp", b"meta", b"moov", b"mdat"}]
    if not kept or kept[0].kind != b"ftyp":
        raise NotAnImage
    result = bytearray(content[: kept[-1].end])
    needed: list[Span] = []
    for box in boxes:
        if box.kind == b"meta":
            needed += _clean_items(result, box)
        elif box.kind == b"moov":
            needed += _clean_movie(result, box)
        elif box.kind not in {b"ftyp", b"mdat"}:
            _erase(result, box)
    for box in kept:
        if box.kind == b"mdat":
            _keep_only(result, needed, box)
    return bytes(result)


def _boxes(content: bytes | bytearray, at: int, end: int) -> Iterator[_Box]:
    """Stops at the first box that is truncated."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, at)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, body)
            body += 8
        until = end if size == 0 else at + size
        if until < body or until > end:
            return
        yield _Box(kind, at, body, until)
        at = until


def _only(content: bytearray, parent: _Box, kind: bytes, skip: int = 0) -> _Box | None:
    return next((box for box in _boxes(content, parent.body + skip, parent.end) if box.kind == kind), None)


def _zero(content: bytearray, start: int, end: int) -> None:
    content[start:end] = bytes(max(0, min(end, len(content)) - start))


def _erase(content: bytearray, box: _Box) -> None:
    """Turns the box into free space of the same size."""
    if box.end <= len(content):
        content[box.start + 4 : box.start + 8] = b"free"
        _zero(content, box.body, box.end)


def _keep_only(content: bytearray, needed: list[Span], box: _Box) -> None:
    at = box.body
    for start, end in sorted(needed):
        if start < box.end and end > at:
            _zero(content, at, start)
            at = max(at, end)
    _zero(content, at, box.end)


def _clean_items(content: bytearray, meta: _Box) -> list[Span]:
    """Erases items that are not the image. Returns where the data of the others is."""
    boxes = {box.kind: box for box in _boxes(content, meta.body + 4, meta.end)}
    for box in _boxes(content, meta.body + 4, meta.end):
        if box.kind not in _META:
            _erase(content, box)
    if b"hdlr" in boxes:
        _zero(content, boxes[b"hdlr"].body + 24, boxes[b"hdlr"].end)  # a name
    if b"iprp" in boxes and (properties := _only(content, boxes[b"iprp"], b"ipco")):
        _clean_properties(content, properties)
    removed = _thumbnails(content, boxes.get(b"iref")) | _metadata_items(content, boxes[b"iinf"])
    needed = []
    data = boxes.get(b"idat")
    for item, inside, start, end in _extents(content, boxes[b"iloc"]):
        if inside and data is not None and item in removed:
            _zero(content, data.body + start, min(data.body + end, data.end))
        elif not inside and item not in removed:
            needed.append((start, end))
    return needed


def _clean_properties(content: bytearray, properties: _Box) -> None:
    for box in _boxes(content, properties.body, properties.end):
        if box.kind not in _PROPERTIES:
            _erase(content, box)
        elif box.kind == b"colr" and bytes(content[box.body : box.body + 4]) in {b"prof", b"rICC"}:
            profile = icc.trimmed(bytes(content[box.body + 4 : box.end]))
            _zero(content, box.body + 4 + len(profile), box.end)


def _metadata_items(content: bytearray, infos: _Box) -> set[int]:
    """Returns the items that hold metadata, and changes their type to ``free``. Erases the names of all items."""
    version = content[infos.body]
    removed = set()
    for box in _boxes(content, infos.body + (6 if version == 0 else 8), infos.end):
        wide = content[box.body] >= 3
        item, _, kind = struct.unpack_from(">IH4s" if wide else ">HH4s", content, box.body + 4)
        name = box.body + (14 if wide else 12)
        if kind in _METADATA_ITEMS:
            removed.add(item)
            content[name - 4 : name] = b"free"
        _zero(content, name, box.end)
    return removed


def _thumbnails(content: bytearray, references: _Box | None) -> set[int]:
    if references is None:
        return set()
    wide = content[references.body] != 0
    return {
        struct.unpack_from(">I" if wide else ">H", content, box.body)[0]
        for box in _boxes(content, references.body + 4, references.end)
        if box.kind == b"thmb"
    }


def _extents(content: bytearray, places: _Box) -> Iterator[tuple[int, bool, int, int]]:
    """Yields for each extent: the item, whether it is in ``idat``, and where it starts and ends there."""
    version, at = content[places.body], places.body + 4
    sizes = content[at] >> 4, content[at] & 15, content[at + 1] >> 4, content[at + 1] & 15 if version else 0
    at += 2

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > places.end:
            raise NotAnImage
        return int.from_bytes(content[at - size : at], "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        inside = bool(version) and number(2) & 15 == 1
        number(2)  # data reference: this file
        base = number(sizes[2])
        for _ in range(number(2)):
            number(sizes[3])
            start = base + number(sizes[0])
            length = number(sizes[1])
            yield item, inside, start, start + length if length else len(content)


def _clean_movie(content: bytearray, parent: _Box) -> list[Span]:
    """Erases metadata of the movie. Returns where its frames are."""
    needed = []
    for box in list(_boxes(content, parent.body, parent.end)):
        if box.kind in _DESCRIPTIONS:
            _erase(content, box)
        elif box.kind in _WITH_TIMESTAMPS:
            _zero(content, box.body + 4, box.body + (20 if content[box.body] else 12))  # creation and modification
        elif box.kind == b"hdlr":
            _zero(content, box.body + 24, box.end)
        elif box.kind == b"stbl":
            needed += _samples(content, box)
        elif box.kind in _CONTAINERS:
            needed += _clean_movie(content, box)
    return needed


def _samples(content: bytearray, table: _Box) -> list[Span]:
    """Returns where the frames of a track are (ISO/IEC 14496-12, section 8.7)."""
    boxes = {box.kind: box for box in _boxes(content, table.body, table.end)}
    if b"stsz" not in boxes or b"stsc" not in boxes:
        raise NotAnImage
    wide = b"co64" in boxes
    chunks = [row[0] for row in _table(content, boxes[b"co64" if wide else b"stco"].body + 4, ">Q" if wide else ">I")]
    same, count = struct.unpack_from(">II", content, boxes[b"stsz"].body + 4)
    sizes = (
        itertools.repeat(same, count) if same else (row[0] for row in _table(content, boxes[b"stsz"].body + 8, ">I"))
    )
    runs = _table(content, boxes[b"stsc"].body + 4, ">III")
    spans = []
    for index, start in enumerate(chunks, start=1):
        in_chunk = next((samples for first, samples, _ in reversed(runs) if first <= index), 0)
        length = sum(itertools.islice(sizes, in_chunk))
        spans.append((start, start + length))
    return spans


def _table(content: bytearray, at: int, shape: str) -> list[tuple[int, ...]]:
    """Reads the rows that follow their count."""
    (count,) = struct.unpack_from(">I", content, at)
    width = struct.calcsize(shape)
    if at + 4 + count * width > len(content):
        raise NotAnImage
    return list(struct.iter_unpack(shape, content[at + 4 : at + 4 + count * width]))
