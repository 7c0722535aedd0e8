"""A picture of which anything is missing is refused, however well the rest of its file looks."""

import base64
import io
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image, ImageSequence

from openmusic_media.covers.errors import NotAnImage
from openmusic_media.covers.images import clean


def drawn(kind: str, size: tuple[int, int] = (48, 32), mode: str = "RGB", **options: Any) -> bytes:
    target = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(target, kind, **options)
    return target.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.effect_noise((48, 32), 20 * step).convert("RGB") for step in range(1, 5)]
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:], duration=100)
    return target.getvalue()


def with_thumbnail(**options: Any) -> bytes:
    """A JPEG that holds another whole one, as those of cameras do."""
    thumbnail = drawn("JPEG", (16, 16))
    tiff = b"II*\0\x08\0\0\0\0\0\x0e\0\0\0\x02\0\x01\x02\x04\0\x01\0\0\0\x2c\0\0\0\x02\x02\x04\0\x01\0\0\0"
    tiff = tiff + len(thumbnail).to_bytes(4, "little") + b"\0\0\0\0" + thumbnail
    exif = b"Exif\0\0" + tiff
    picture = drawn("JPEG", **options)
    return picture[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + picture[2:]


ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqm"
    "x5moq6T/ygALCAAQABABAREA/8wABAAQ/9oACAEBAAAAAeIyIP/MAAQQBf/aAAgBAQABBQJduTHp9oD/zAAEEAX/2gAIAQEABj8Clm/HnkiR/v/M"
    "AAQQBf/aAAgBAQABPyESOeZY7LkzUs8h2LWdGMulzzLghgFZNS24C9D/2gAIAQEAAAAQ4P/MAAQQBf/aAAgBAQABPxD7X42b3CkI8gfayzR7D9Fq"
    "SyBP+gnHDzpRYev4juXlsWI2bIvhbyNe5P3BtZolgVOA/9k="
)
"""A progressive grey JPEG by ``cjpeg -arithmetic``, which Pillow cannot write."""

PICTURES = {
    **{kind: drawn(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "AVIF")},
    "progressive JPEG": drawn("JPEG", progressive=True),
    "arithmetic JPEG": ARITHMETIC,
    "JPEG with a thumbnail": with_thumbnail(),
    "progressive JPEG with a thumbnail": with_thumbnail(progressive=True),
    "lossless WEBP": drawn("WEBP", lossless=True),
    **{f"animated {kind}": animated(kind) for kind in ("PNG", "WEBP", "GIF")},
}


def frames(content: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(content)) as image:
        return [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("what", PICTURES)
def test_a_picture_that_breaks_off_is_refused_unless_only_its_end_mark_is_missing(what: str) -> None:
    content = PICTURES[what]
    whole = frames(clean(content).content)
    for end in {*range(0, len(content), 37), *range(len(content) - 60, len(content))}:
        with suppress(NotAnImage):
            assert frames(clean(content[:end]).content) == whole, end - len(content)


@pytest.mark.parametrize("what", ["JPEG", "JPEG with a thumbnail"])
def test_a_jpeg_without_all_of_its_pixels_is_refused_although_it_ends_well(what: str) -> None:
    content = PICTURES[what]

    for missing in (30, 300, len(content) // 3):
        with pytest.raises(NotAnImage):
            clean(content[: -2 - missing] + content[-2:])


def scans(jpeg: bytes) -> list[int]:
    """Where each scan of a JPEG begins, and where the last one ends."""
    at, found = 2, []
    while (marker := jpeg[at + 1]) != 0xD9:
        if marker == 0xDA:
            found.append(at)
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        while jpeg[at] != 0xFF or jpeg[at + 1] in {0, *range(0xD0, 0xD8)}:
            at += 1
    return [*found, at]


def one_component_a_scan() -> bytes:
    """A baseline JPEG that sends its three components one after the other, as three grey ones do."""
    greys = [drawn("JPEG", mode="L") for _ in range(3)]
    header = greys[0][: scans(greys[0])[0]]
    frame = header.index(b"\xff\xc0")
    length = int.from_bytes(header[frame + 2 : frame + 4], "big") + 6
    header = header[: frame + 2] + length.to_bytes(2, "big") + header[frame + 4 :]
    header = header.replace(b"\1\1\x11\0", b"\3\1\x11\0\2\x11\0\3\x11\0", 1)
    pixels = [grey[slice(*scans(grey))] for grey in greys]
    return header + b"".join(scan[:5] + bytes((n,)) + scan[6:] for n, scan in enumerate(pixels, 1)) + b"\xff\xd9"


SCANS = {
    "progressive": PICTURES["progressive JPEG"],
    "progressive grey": drawn("JPEG", mode="L", progressive=True),
    "arithmetic": ARITHMETIC,
    "one component a scan": one_component_a_scan(),
}


@pytest.mark.parametrize("what", SCANS)
def test_a_jpeg_without_its_last_scans_is_refused_although_it_ends_well(what: str) -> None:
    content = SCANS[what]
    assert frames(clean(content).content) == frames(content)
    assert len(scans(content)) > 2
    for end in scans(content)[1:-1]:
        with pytest.raises(NotAnImage):
            clean(content[:end] + b"\xff\xd9")


def test_a_jpeg_without_one_of_its_scans_is_refused() -> None:
    for content in SCANS.values():
        for begin, end in pairwise(scans(content)):
            with pytest.raises(NotAnImage):
                clean(content[:begin] + content[end:])


def test_a_progressive_jpeg_whose_scans_are_whole_needs_no_end() -> None:
    content = SCANS["progressive"]
    assert frames(clean(content[:-2]).content) == frames(content)
