"""A picture of which anything is missing is refused, however well the rest of its file looks."""

import io
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image, ImageSequence

from openmusic_media.covers.errors import NotAnImage
from openmusic_media.covers.images import clean


def drawn(kind: str, size: tuple[int, int] = (48, 32), **options: Any) -> bytes:
    target = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(target, kind, **options)
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


PICTURES = {
    **{kind: drawn(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "AVIF")},
    "progressive JPEG": drawn("JPEG", progressive=True),
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


@pytest.mark.parametrize("what", [what for what in PICTURES if "JPEG" in what and "progressive" not in what])
def test_a_jpeg_without_all_of_its_pixels_is_refused_although_it_ends_well(what: str) -> None:
    content = PICTURES[what]

    for missing in (30, 300, len(content) // 3):
        with pytest.raises(NotAnImage):
            clean(content[: -2 - missing] + content[-2:])
