"""Proves that bytes are an image, and makes of them one that holds nothing else.

Every picture is decoded and written anew: what is left is pixels and their colour profile. Positions, comments and
whatever else was hidden in the file or behind its end are gone.
"""

import io
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms, ImageSequence
from PIL.Image import Transpose
from PIL.JpegImagePlugin import JpegImageFile

from openmusic_media.covers.errors import ImageTooBig, NotAnImage

MAX_PIXELS = 25_000_000  # of one frame
MAX_ALL_PIXELS = 50_000_000  # of all frames together
MAX_FRAMES = 1_000
MAX_WRITTEN = 5_000_000  # bytes; an animation that tells only what changes can grow a hundredfold
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "AVIF": "avif"}
QUALITY = 90
ORIENTATION = 0x0112  # the tag, and how to undo what it says: CIPA DC-008 (Exif), section 4.6.4
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

# A later frame may be larger than the first; the library refuses it from twice this on.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2


@dataclass(frozen=True)
class CleanImage:
    content: bytes
    ending: str


def clean(content: bytes) -> CleanImage:
    """Raises NotAnImage or ImageTooBig."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes, of which our bounds are narrower, and about oddities
            with _open(content) as image:
                kind = image.format or ""
                _check_size(image)
                _check_end(content, kind)
                written = _write_anew(image, kind, content)
    except (ImageTooBig, NotAnImage):
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ImageTooBig from error
    except Exception as error:  # the decoders have as many ways to complain as files have to be broken
        raise NotAnImage from error
    if len(written) > MAX_WRITTEN:
        raise ImageTooBig
    return CleanImage(written, ENDINGS[kind])


def _open(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=list(ENDINGS))
    if image.format == "MPO":  # a JPEG with further views behind it, as many cameras write them
        return JpegImageFile(io.BytesIO(content))
    return image


def _check_size(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    pixels = image.width * image.height
    if pixels > MAX_PIXELS or pixels * frames > MAX_ALL_PIXELS or frames > MAX_FRAMES:
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
        options |= {"lossless": b"VP8 " not in content, "quality": QUALITY, "method": 4, "exif": b"", "xmp": b""}
    if kind == "AVIF":
        options |= {"quality": 80, "speed": 8, "exif": b"", "xmp": b""}
    if kind == "PNG":
        options |= {"exif": b""}
    target = io.BytesIO()
    if frames > 1:
        _write_animation(image, kind, target, options)
        return target.getvalue()
    image.load()
    turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    if kind == "JPEG":
        options |= {"exif": b"", "comment": b"", "quality": "keep" if turn is None else 92}
    upright = image.transpose(turn) if turn is not None else image
    _forget(upright)
    upright.save(target, format=kind, **options)
    return target.getvalue()


def _write_animation(image: Image.Image, kind: str, target: io.BytesIO, options: dict[str, Any]) -> None:
    frames, durations, image_size = [], [], image.size
    for frame in ImageSequence.Iterator(image):
        frame.load()
        if frame.size != image_size:
            raise ImageTooBig
        durations.append(frame.info.get("duration", 100))
        frames.append(frame.copy())
    options["duration"] = durations
    if kind != "GIF" or "loop" in image.info:  # a GIF that says nothing of it plays once
        options["loop"] = image.info.get("loop", 0)
    if kind == "PNG":
        options["default_image"] = image.info.get("default_image", False)
    if kind == "GIF":
        options.pop("icc_profile")
        if any(frame.has_transparency_data for frame in frames):
            options["disposal"] = 2  # or what should vanish would stay
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
    """The colour profile, if it is one; written anew as well, so that nothing stands between and behind its parts."""
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).tobytes()
    except OSError:
        return None
