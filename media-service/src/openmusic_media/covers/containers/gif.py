"""GIF (CompuServe, Graphics Interchange Format 89a)."""

import struct

from openmusic_media.covers.containers.bounds import require_decodable
from openmusic_media.covers.errors import NotAnImage

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _PLAIN_TEXT, _APPLICATION = 0xF9, 0x01, 0xFF
_LOOPING = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_MAX_CODE = 4096


def strip(content: bytes) -> bytes:
    """Adds the trailer if it is missing."""
    at = 13 + _table_size(content[10])
    kept, control, frames = [content[:at]], b"", 0
    while at < len(content) and content[at] != _TRAILER:
        if content[at] == _IMAGE:
            frames += 1
            image, at = _image(content, at, frames)
            kept += [control, image]
            control = b""
        elif content[at] == _EXTENSION:
            label, begin = content[at + 1], at
            blocks, at = _blocks(content, at + 2)
            if label == _CONTROL:
                control = content[begin:at]
            elif label == _PLAIN_TEXT:
                control = b""  # it controls the text, which no reader shows
            elif label == _APPLICATION and blocks[0] in _LOOPING and len(blocks) > 1 and blocks[1][:1] == b"\x01":
                kept.append(content[begin : begin + 3] + blocks[0] + b"\x03" + blocks[1][:3].ljust(3, b"\0") + b"\0")
        elif content[at] == 0:
            at += 1  # readers skip stray block terminators
        else:
            raise NotAnImage
    if not frames:
        raise NotAnImage
    return b"".join(kept) + bytes((_TRAILER,))


def _table_size(flags: int) -> int:
    """Returns the number of bytes in a colour table."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _image(content: bytes, at: int, frames: int) -> tuple[bytes, int]:
    """Returns the image at that offset without data after its last pixel, and where it ends."""
    _, _, width, height, flags = struct.unpack_from("<HHHHB", content, at + 1)
    require_decodable(width, height, frames)
    head = at + 10 + _table_size(flags)
    blocks, end = _blocks(content, head + 1)
    packed = b"".join(blocks)
    used = _used(packed, content[head], width * height)
    if used == len(packed):
        return content[at:end], end
    pixels = b"".join(
        bytes((len(packed[start : min(start + 255, used)]),)) + packed[start : min(start + 255, used)]
        for start in range(0, used, 255)
    )
    return content[at : head + 1] + pixels + b"\0", end


def _blocks(content: bytes, at: int) -> tuple[list[bytes], int]:
    """Returns the data blocks that start at that offset, and where they end."""
    blocks = []
    while length := content[at]:
        block = content[at + 1 : at + 1 + length]
        if len(block) < length:
            raise NotAnImage
        blocks.append(block)
        at += 1 + length
    return blocks, at + 1


def _used(packed: bytes, smallest: int, pixels: int) -> int:
    """Returns how many bytes encode that many pixels, including the end code if it follows.

    Raises NotAnImage when there are fewer pixels. This is the LZW decoder of appendix F, reduced to the length of each
    code's string.
    """
    if not 1 <= smallest <= 8:
        raise NotAnImage
    clear, end = 1 << smallest, (1 << smallest) + 1
    lengths = [1] * clear + [0, 0]
    width, previous, found = smallest + 1, 0, 0
    buffer = bits = used = 0
    for byte in packed:
        buffer |= byte << bits
        bits += 8
        used += 1
        while bits >= width:
            code = buffer & ((1 << width) - 1)
            buffer >>= width
            bits -= width
            if code == clear:
                del lengths[end + 1 :]
                width, previous = smallest + 1, 0
                continue
            if code == end or found >= pixels:
                return _require(found, pixels, used)
            if previous and len(lengths) < _MAX_CODE:
                lengths.append(previous + 1)
            if code >= len(lengths):
                raise NotAnImage
            previous = lengths[code]
            found += previous
            if len(lengths) == 1 << width and width < 12:
                width += 1
    return _require(found, pixels, used)


def _require(found: int, pixels: int, used: int) -> int:
    if found < pixels:
        raise NotAnImage
    return used
