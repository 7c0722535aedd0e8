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

from openmusic_media.covers.containers import gif, png, webp
from openmusic_media.covers.containers.bounds import MAX_FRAMES, MAX_PIXELS, MAX_TOTAL_PIXELS
from openmusic_media.covers.errors import ImageTooBig, NotAnImage
from openmusic_media.covers.images import clean

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

    assert image.extension == KINDS[kind]
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


def test_a_turned_picture_is_still_turned_and_tells_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera to look for"

    image = opened(clean(picture("JPEG", exif=exif)).content)

    assert dict(image.getexif()) == {0x0112: 6}


def test_a_picture_is_still_turned_whatever_else_the_camera_wrote() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    content = picture("JPEG", exif=exif)
    maker = content.index(b"\x01\x0f") + 2
    broken = content[:maker] + b"\x00\x07" + content[maker + 2 :]  # a text that claims to be no text

    assert dict(opened(clean(broken).content).getexif()) == {0x0112: 6}


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0", b"Exif\0\xff"])
def test_what_encoders_write_before_the_orientation_stays(prefix: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera to look for"
    old, block = exif.tobytes(), prefix + exif.tobytes().removeprefix(b"Exif\0\0")

    cover = clean(_webp_with(lambda data: block if data in old else data, exif=exif)).content

    assert cover.partition(b"EXIF")[2][4:].startswith(prefix + b"MM\0*")
    assert b"A camera" not in cover
    if prefix:
        jpeg = picture("JPEG", exif=exif).replace(b"Exif\0\0", prefix)
        assert prefix + b"MM\0*" in clean(jpeg).content


def test_of_a_picture_with_several_views_the_first_is_kept() -> None:
    views = [Image.new("RGB", (200, 100), colour) for colour in ("red", "green")]
    target = io.BytesIO()
    views[0].save(target, "MPO", save_all=True, append_images=views[1:])
    assert opened(target.getvalue()).format == "MPO"

    image = clean(target.getvalue())

    assert (image.extension, opened(image.content).format) == ("jpg", "JPEG")
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


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_keeps_its_own_bytes(kind: str) -> None:
    content = picture(kind)

    assert clean(content).content == content


def test_an_avif_picture_keeps_its_place_and_loses_its_names() -> None:
    content = picture("AVIF")

    assert clean(content).content == content.replace(b"Color", bytes(5))


HALVES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: _half(picture("JPEG")) + b"\xff\xd9",
    "progressive JPEG": lambda: _half(picture("JPEG", progressive=True)) + b"\xff\xd9",
    "JPEG with restarts": lambda: _half(picture("JPEG", restart_marker_rows=1)) + b"\xff\xd9",
    "JPEG without its last pixels": lambda: picture("JPEG")[:-12] + b"\xff\xd9",
    "JPEG whose thumbnail ends well": lambda: _with_thumbnail(picture("JPEG")),
    "PNG": lambda: _png_of(zlib.compress(bytes(75 * 601))),
    "PNG with more than its pixels": lambda: _png_of(zlib.compress(bytes(151 * 601))),
    "PNG without the end of its data": lambda: _png_of(zlib.compress(bytes(150 * 601))[:-6]),
    "GIF": lambda: _gif_with(lambda packed: packed[: len(packed) // 2]),
    "GIF without its last pixels": lambda: _gif_with(lambda packed: packed[:-3]),
    "WebP": lambda: _webp_with(lambda data: data[: len(data) // 2]),
    "WebP without its last pixels": lambda: _webp_with(lambda data: data[:-24]),
    "lossless WebP": lambda: _webp_with(lambda data: data[: len(data) // 2], lossless=True),
}
"""Pictures with pixels missing, whose containers are in order."""


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _with_thumbnail(jpeg: bytes) -> bytes:
    """Its own pixels are cut off; in its metadata is a whole picture."""
    thumbnail = picture("JPEG", (16, 16))
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    return jpeg[:2] + segment + jpeg[2 : len(jpeg) // 2]


def _png_of(packed: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", 200, 150, 8, 2, 0, 0, 0)
    return png.SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _gif_with(change: Callable[[bytes], bytes]) -> bytes:
    content = picture("GIF")
    head = content.index(b"\x2c", 13 + 3 * 256) + 11
    packed = change(b"".join(gif._blocks(content, head)[0]))
    blocks = [packed[start : start + 255] for start in range(0, len(packed), 255)]
    return content[:head] + b"".join(bytes((len(each),)) + each for each in blocks) + b"\0\x3b"


def _webp_with(change: Callable[[bytes], bytes], **options: Any) -> bytes:
    chunks = webp._chunks(picture("WEBP", **options)[12:])
    return webp._serialized([(kind, change(data)) for kind, data in chunks])


@pytest.mark.parametrize("name", HALVES)
def test_a_picture_without_all_its_pixels_is_refused_however_well_it_ends(name: str) -> None:
    with pytest.raises(NotAnImage):
        clean(HALVES[name]())


def test_these_pictures_would_pass_with_all_their_pixels() -> None:
    clean(_png_of(zlib.compress(bytes(150 * 601))))
    clean(_gif_with(lambda packed: packed))
    clean(_webp_with(lambda data: data))


def test_damage_in_what_is_thrown_away_is_no_reason_to_refuse() -> None:
    text = bytearray(_chunk(b"tEXt", b"Comment\0hidden"))
    text[-1] ^= 1
    plain = picture("PNG")

    assert clean(plain[:33] + bytes(text) + plain[33:]).content == plain
    assert clean(plain + b"hidden" * 50_000).content == plain
    jpeg = picture("JPEG")
    assert clean(jpeg[:2] + b"\xff\xe1\x00\x10Exif\0\0MM\0*\xff\xff\xff\xff" + jpeg[2:]).content == jpeg
    assert clean(jpeg + jpeg[:1000]).content == jpeg


def test_what_is_hidden_behind_the_pixels_of_a_frame_is_gone() -> None:
    content = picture("PNG")
    at = content.index(b"IDAT")
    (length,) = struct.unpack_from(">I", content, at - 4)
    data = content[at + 4 : at + 4 + length]
    hiding = content[: at - 4] + _chunk(b"IDAT", data + b"hidden") + content[at + 8 + length :]
    assert clean(hiding).content == content

    assert b"hidden" not in clean(_gif_with(lambda packed: packed + b"hidden")).content


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
    bomb = gif_that_grows(6000, 3)
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


def test_the_refusal_of_a_big_image_names_each_limit() -> None:
    for limit in (MAX_PIXELS, MAX_TOTAL_PIXELS, MAX_FRAMES):
        assert f" {limit} " in ImageTooBig.message
