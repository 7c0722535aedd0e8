"""Renders covers smaller: the first frame, upright and in sRGB."""

import io
import warnings
from contextlib import suppress

from PIL import Image, ImageCms, ImageOps

from openmusic_media.covers.images import open_image

QUALITY = 82  # of 100; what most tools take for photographs
SAMPLE_SIZE = 64  # pixels; more change nothing about the main colours
MAIN_COLORS = 6
_MANAGED = {"L", "RGB", "RGBA", "CMYK"}
"""The modes of pixels that Pillow converts by a colour profile."""


def render_thumbnail(content: bytes, size: int) -> bytes:
    """Returns the cover as WebP that fits into ``size`` × ``size`` pixels. A smaller cover is not enlarged."""
    target = io.BytesIO()
    _shrunk(content, size).save(target, "WEBP", quality=QUALITY)
    return target.getvalue()


def dominant_color(content: bytes) -> str:
    """Returns the most frequent of the main colours of the cover, as ``#rrggbb``. What is transparent counts white."""
    small = _shrunk(content, SAMPLE_SIZE).convert("RGBA")
    opaque = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
    main = opaque.quantize(MAIN_COLORS)
    pixels = main.histogram()
    index = pixels.index(max(pixels))
    return "#" + bytes(main.getpalette() or [])[3 * index : 3 * index + 3].hex()


def _shrunk(content: bytes, size: int) -> Image.Image:
    """``content`` is a cover, and so known to be decodable."""
    with warnings.catch_warnings(), open_image(content) as image:
        warnings.simplefilter("ignore")  # Pillow's limits were checked when the cover came
        image.draft(None, (2 * size, 2 * size))  # JPEG is decoded at a fraction of its size
        small = _resizable(image)
        small.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return _in_srgb(ImageOps.exif_transpose(small))


def _resizable(image: Image.Image) -> Image.Image:
    """In a mode whose pixels can be mixed."""
    if image.mode.startswith("I;16"):  # Pillow cuts off what is above 255
        return image.convert("I").point(lambda value: value / 257).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert({"P": "RGB", "1": "L"}.get(image.mode, image.mode))


def _in_srgb(image: Image.Image) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    profile = image.info.get("icc_profile")
    if profile and image.mode in _MANAGED:
        with suppress(ImageCms.PyCMSError):  # the profile is damaged, or of other colours; browsers ignore it, too
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode=mode
            )
            if converted is not None:
                return converted
    return image.convert(mode)
