import io
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageCms, ImageSequence

from openmusic_media.covers.errors import ImageTooBig, NotAnImage
from openmusic_media.covers.images import MAX_FRAMES, clean

KINDS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "AVIF": "avif"}


def picture(kind: str, size: tuple[int, int] = (200, 100), noise: int = 60, **options: Any) -> bytes:
    target = io.BytesIO()
    Image.effect_noise(size, noise).convert("RGB").save(target, kind, **options)
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


def test_a_picture_stands_upright_whatever_else_the_camera_wrote() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    content = picture("JPEG", exif=exif)
    maker = content.index(b"\x01\x0f") + 2
    broken = content[:maker] + b"\x00\x07" + content[maker + 2 :]  # a text that claims to be no text

    assert opened(clean(broken).content).size == (100, 200)


def test_of_a_picture_with_several_views_the_first_is_kept() -> None:
    views = [Image.new("RGB", (200, 100), colour) for colour in ("red", "green")]
    target = io.BytesIO()
    views[0].save(target, "MPO", save_all=True, append_images=views[1:])
    assert opened(target.getvalue()).format == "MPO"

    image = clean(target.getvalue())

    assert (image.ending, opened(image.content).format) == ("jpg", "JPEG")
    assert opened(image.content).convert("RGB").getpixel((5, 5)) == (254, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_colour_profile_stays_without_what_hides_in_its_file(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    kept = opened(clean(picture(kind, icc_profile=profile + b"<script>hidden")).content).info["icc_profile"]

    assert b"hidden" not in kept
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(kept))).startswith("sRGB")


@pytest.mark.parametrize(("kind", "options"), [("GIF", {"disposal": 2}), ("PNG", {"disposal": 1}), ("WEBP", {})])
def test_every_frame_of_an_animation_looks_as_before(kind: str, options: dict[str, Any]) -> None:
    frames = []
    for step in range(8):
        frame = Image.new("RGBA", (60, 60))
        frame.paste((255, 20 * step, 0, 255), (step * 4, step * 4, step * 4 + 20, step * 4 + 20))
        frames.append(frame)
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:], duration=90, lossless=True, **options)

    before, after = opened(target.getvalue()), opened(clean(target.getvalue()).content)

    assert before.info.get("loop") == after.info.get("loop")
    pairs = list(zip(ImageSequence.Iterator(before), ImageSequence.Iterator(after), strict=True))
    assert len(pairs) == 8
    for old, new in pairs:
        assert old.info.get("duration") == new.info.get("duration")
        assert ImageChops.difference(old.convert("RGBA"), new.convert("RGBA")).getbbox(alpha_only=False) is None


def test_an_animation_that_tells_only_what_changes_does_not_grow() -> None:
    background = Image.effect_noise((300, 300), 90).convert("P")
    frames = []
    for step in range(30):
        frame = background.copy()
        frame.paste(step, (step, step, step + 10, step + 10))
        frames.append(frame)
    target = io.BytesIO()
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:], duration=90)

    assert len(clean(target.getvalue()).content) < 1.1 * len(target.getvalue())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF", "MPO"])
def test_a_damaged_file_is_refused_or_mended_but_nothing_else(kind: str) -> None:
    chance = random.Random(1)  # noqa: S311 - keeps no secret
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    options = {} if kind == "GIF" else {"exif": exif}
    content = picture(kind, (40, 30), **options)
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 1, 3, 10))):
            damaged[chance.choice((chance.randrange(len(damaged)), chance.randrange(300)))] = chance.randrange(256)
        with suppress(NotAnImage, ImageTooBig):
            opened(clean(bytes(damaged)).content).load()


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


def gif_that_grows(side: int, frames: int) -> bytes:
    """Its first frame is one pixel."""
    small, large = picture("GIF", (1, 1)), io.BytesIO()
    Image.new("L", (side, side)).save(large, "GIF", optimize=False)
    frame = large.getvalue()[large.getvalue().index(b"\x2c", 13 + 3 * 256) : -1]
    return small[:-1] + frame * frames + b"\x3b"


def test_a_picture_that_grows_while_it_plays_is_refused() -> None:
    for side in (2, 6000):
        bomb = gif_that_grows(side, 3)
        assert len(bomb) < 512_000
        with pytest.raises(ImageTooBig):
            clean(bomb)


def test_a_film_of_tiny_pictures_is_refused() -> None:
    frames = [Image.new("L", (2, 2), step % 2 * 255) for step in range(MAX_FRAMES + 1)]
    target = io.BytesIO()
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:])

    with pytest.raises(ImageTooBig):
        clean(target.getvalue())


@pytest.mark.parametrize(
    "make", [lambda: gif_that_grows(6000, 15), lambda: picture("PNG", (5000, 5000), noise=0)], ids=["growing", "large"]
)
def test_memory_stays_bounded(make: Callable[[], bytes]) -> None:
    bomb = make()
    assert len(bomb) < 512_000
    measure = """
import resource, sys
from openmusic_media.covers.images import clean
try:
    clean(sys.stdin.buffer.read())
except Exception as error:
    assert type(error).__name__ == "ImageTooBig", repr(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

    done = subprocess.run([sys.executable, "-c", measure], input=bomb, capture_output=True, check=True)

    assert int(done.stdout) < 800_000, "KiB"
