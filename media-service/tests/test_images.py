import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from openmusic_media.covers.errors import ImageTooBig, NotAnImage
from openmusic_media.covers.images import clean

KINDS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "AVIF": "avif"}


def picture(kind: str, size: tuple[int, int] = (200, 100), **options: Any) -> bytes:
    target = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(target, kind, **options)
    return target.getvalue()


def animation(kind: str, **options: Any) -> bytes:
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "green", "blue")]
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:], duration=120, **options)
    return target.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_keeps_its_kind_and_size(kind: str) -> None:
    image = clean(picture(kind))

    assert image.ending == KINDS[kind]
    assert opened(image.content).size == (200, 100)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_an_animation_stays_one(kind: str) -> None:
    image = opened(clean(animation(kind)).content)

    assert image.n_frames == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_where_a_picture_was_taken_is_forgotten(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera to look for"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    content = picture(kind, exif=exif)
    assert b"A camera to look for" in content

    image = clean(content).content

    assert b"A camera to look for" not in image
    assert not opened(image).getexif().get_ifd(0x8825)


def test_a_turned_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side

    assert opened(clean(picture("JPEG", exif=exif)).content).size == (100, 200)


@pytest.mark.parametrize("kind", KINDS)
def test_what_hides_behind_the_end_is_gone(kind: str) -> None:
    image = clean(picture(kind) + b"<script>alert('hidden')</script>")

    assert b"hidden" not in image.content


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_image_is_refused(kind: str) -> None:
    content = picture(kind)
    for part in (len(content) // 4, len(content) // 2, len(content) - 20):
        with pytest.raises(NotAnImage):
            clean(content[:part])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        b"<!doctype html><html></html>",
        b"\x89PNG\r\n\x1a\n<html></html>",
        b"GIF89a<script></script>",
        b"\xff\xd8\xff\xe0<html>",
        b"RIFF\x00\x00\x00\x00WEBPhtml",
        b"%PDF-1.7",
        picture("BMP"),
        picture("TIFF"),
        picture("ICO"),
        bytes(1000),
    ],
)
def test_what_is_no_image_is_refused(content: bytes) -> None:
    with pytest.raises(NotAnImage):
        clean(content)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(1000)))

    with pytest.raises(ImageTooBig):
        clean(bomb + _chunk(b"IEND", b""))
