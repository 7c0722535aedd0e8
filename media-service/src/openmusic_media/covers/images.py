"""Proves that bytes are an image, and makes of them one that holds nothing else.

Every picture is decoded and written anew: what is left is pixels and their colour profile. Positions, comments and
whatever else was hidden in the file or behind its end are gone.
"""

import io
import struct
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms, ImageOps, ImageSequence

from openmusic_media.covers.errors import ImageTooBig, NotAnImage

MAX_PIXELS = 25_000_000  # of one frame
MAX_ALL_PIXELS = 100_000_000  # of all frames together
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "AVIF": "avif"}
QUALITY = 90


@dataclass(frozen=True)
class CleanImage:
    content: bytes
    ending: str


def clean(content: bytes) -> CleanImage:
    """Raises NotAnImage or ImageTooBig."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own bounds are narrower
            with Image.open(io.BytesIO(content), formats=list(ENDINGS)) as image:
                kind = image.format or ""
                _check_size(image)
                _check_end(content, kind)
                return CleanImage(_write_anew(image, kind, content), ENDINGS[kind])
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, KeyError, IndexError) as error:
        raise NotAnImage from error  # the decoders have as many ways to complain as files have to be broken
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ImageTooBig from error


def _check_size(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    pixels = image.width * image.height
    if pixels > MAX_PIXELS or pixels * frames > MAX_ALL_PIXELS:
        raise ImageTooBig


def _check_end(content: bytes, kind: str) -> None:
    """The decoder forgives files that stop a little early; we do not."""
    whole = {
        "PNG": b"IEND\xaeB`\x82" in content,
        "JPEG": b"\xff\xd9" in content[-65_536:],
        "GIF": b"\x3b" in content[-65_536:],
        "WEBP": len(content) >= int.from_bytes(content[4:8], "little") + 8,
        "AVIF": True,
    }
    if not whole[kind]:
        raise NotAnImage


def _write_anew(image: Image.Image, kind: str, content: bytes) -> bytes:
    frames = getattr(image, "n_frames", 1)
    options: dict[str, Any] = {"icc_profile": _profile(image)}
    if kind == "WEBP":
        options |= {"lossless": b"VP8L" in content[:64], "quality": QUALITY, "method": 4, "exif": b"", "xmp": b""}
    if kind == "AVIF":
        options |= {"quality": 80, "speed": 8, "exif": b"", "xmp": b""}
    if kind == "PNG":
        options |= {"exif": b""}
    target = io.BytesIO()
    if frames > 1:
        _write_animation(image, kind, target, options)
        return target.getvalue()
    image.load()
    upright = ImageOps.exif_transpose(image)
    if kind == "JPEG":
        options |= {
            "exif": b"",
            "comment": b"",
            **({"quality": "keep"} if upright.size == image.size and not _is_turned(image) else {"quality": 92}),
        }
        if options["quality"] == "keep":
            upright = image
    _forget(upright)
    upright.save(target, format=kind, **options)
    return target.getvalue()


def _is_turned(image: Image.Image) -> bool:
    return bool(image.getexif().get(0x0112, 1) != 1)  # the orientation tag


def _write_animation(image: Image.Image, kind: str, target: io.BytesIO, options: dict[str, Any]) -> None:
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        frame.load()
        durations.append(frame.info.get("duration", 100))
        frames.append(frame.copy())
    options |= {"duration": durations, "loop": image.info.get("loop", 0)}
    if kind == "PNG":
        options["default_image"] = image.info.get("default_image", False)
    if kind == "GIF":
        options.pop("icc_profile")
        options["disposal"] = 2
    for frame in frames:
        _forget(frame)
    frames[0].save(target, format=kind, save_all=True, append_images=frames[1:], **options)


def _forget(image: Image.Image) -> None:
    """Pillow writes some of these on its own accord."""
    for name in ("exif", "xmp", "XML:com.adobe.xmp", "comment", "photoshop", "Software", "icc_profile"):
        image.info.pop(name, None)
    for text in [key for key, value in image.info.items() if isinstance(value, str)]:
        image.info.pop(text)


def _profile(image: Image.Image) -> bytes | None:
    """The colour profile, if it is one."""
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except OSError:
        return None
    return bytes(profile)
