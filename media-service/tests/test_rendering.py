"""What a thumbnail shows of its cover."""

import io
from typing import Any

import pytest
from PIL import Image, ImageCms

from openmusic_media.covers.images import clean
from openmusic_media.covers.rendering import dominant_color, render_thumbnail

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """As a cover is kept."""
    target = io.BytesIO()
    image.save(target, kind, **options)
    return clean(target.getvalue()).content


def thumbnail(content: bytes, size: int = 64) -> Image.Image:
    found = Image.open(io.BytesIO(render_thumbnail(content, size)))
    assert found.format == "WEBP"
    return found


def near(colour: Any, wanted: tuple[int, ...], tolerance: int = 24) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(colour, wanted, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize(
    ("size", "wanted"),
    [((1000, 500), (64, 32)), ((500, 1000), (32, 64)), ((64, 64), (64, 64)), ((40, 20), (40, 20)), ((900, 1), (64, 1))],
)
def test_it_fits_into_the_square_and_keeps_its_proportions(
    kind: str, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    found = thumbnail(saved(Image.new("RGB", size, RED), kind))

    assert found.size == wanted
    assert near(found.convert("RGB").getpixel((0, 0)), RED)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (63, 31)), (6, (31, 0)), (8, (0, 63))])
def test_it_stands_upright(kind: str, orientation: int, corner: tuple[int, int]) -> None:
    image = Image.new("RGB", (400, 200), WHITE)
    image.paste(BLUE, (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = orientation

    found = thumbnail(saved(image, kind, exif=exif)).convert("RGB")

    assert found.size == ((64, 32) if orientation in {1, 3} else (32, 64))
    assert near(found.getpixel(corner), BLUE)


def swapped_profile() -> bytes:
    """Of a device whose red and blue are exchanged: the tags of their primaries are."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_its_colours_are_those_of_the_profile(kind: str) -> None:
    found = thumbnail(saved(Image.new("RGB", (100, 100), RED), kind, icc_profile=swapped_profile()))

    assert near(found.convert("RGB").getpixel((32, 32)), BLUE)
    assert "icc_profile" not in found.info


def test_a_profile_of_other_colours_is_ignored() -> None:
    found = thumbnail(saved(Image.new("CMYK", (100, 100), (0, 255, 255, 0)), "JPEG", icc_profile=swapped_profile()))

    assert near(found.convert("RGB").getpixel((32, 32)), RED, 40)


@pytest.mark.parametrize(("mode", "colour"), [("RGBA", (*RED, 0)), ("LA", (9, 0)), ("P", 0)])
def test_what_is_transparent_stays_so(mode: str, colour: Any) -> None:
    image = Image.new(mode, (100, 100), colour)
    options = {"transparency": 0} if mode == "P" else {}

    found = thumbnail(saved(image, "PNG", **options))

    assert found.mode == "RGBA"
    assert found.getpixel((32, 32))[3] == 0  # type: ignore[index] - RGBA


@pytest.mark.parametrize(("mode", "white"), [("I;16", 65535), ("L", 255), ("1", 1)])
def test_grey_is_as_bright_as_it_was(mode: str, white: int) -> None:
    image = Image.new(mode, (200, 100), 0)
    image.paste(Image.new(mode, (100, 100), white if mode == "1" else white // 2), (0, 0))
    if mode == "L":
        with_palette = thumbnail(saved(image.convert("P"), "PNG")).convert("L")
        assert with_palette.getpixel((10, 10)) == pytest.approx(127, abs=6)

    found = thumbnail(saved(image, "PNG")).convert("L")

    assert found.getpixel((10, 10)) == pytest.approx(255 if mode == "1" else 127, abs=6)
    assert found.getpixel((60, 10)) == pytest.approx(0, abs=6)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_of_an_animation_it_shows_the_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (100, 100), colour) for colour in (GREEN, RED, BLUE)]

    found = thumbnail(saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100))

    assert getattr(found, "n_frames", 1) == 1
    assert near(found.convert("RGB").getpixel((32, 32)), GREEN)


@pytest.mark.parametrize(("colour", "wanted"), [(RED, RED), (BLUE, BLUE), (WHITE, WHITE), ((0, 0, 0), (0, 0, 0))])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_the_main_colour_is_the_one_that_most_of_it_has(
    kind: str, colour: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    image = Image.new("RGB", (300, 300), colour)
    image.paste(GREEN, (0, 0, 300, 100))

    found = dominant_color(saved(image, kind))

    assert near(bytes.fromhex(found.removeprefix("#")), wanted)


def test_the_main_colour_of_nothing_is_white() -> None:
    assert dominant_color(saved(Image.new("RGBA", (9, 9), (*RED, 0)), "PNG")) == "#ffffff"
