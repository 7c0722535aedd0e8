"""Proves that bytes are a whole picture, and takes out of them what is not the picture. Its own bytes stay."""

import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from openmusic_media.covers.containers import NOISE, Container, container_of
from openmusic_media.covers.containers.bounds import MAX_PIXELS, require_decodable
from openmusic_media.covers.errors import ImageTooBig, NotAnImage

# A later frame may be larger than the first; the library refuses it from twice this on.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2


@dataclass(frozen=True)
class CleanImage:
    content: bytes
    ending: str


def clean(content: bytes) -> CleanImage:
    """The picture as it came, without anything else. Raises NotAnImage or ImageTooBig."""
    try:
        container = container_of(content)
        stripped = container.strip(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes, of which our bounds are narrower, and about oddities
            _require_every_pixel(container, stripped)
    except (ImageTooBig, NotAnImage):
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ImageTooBig from error
    except Exception as error:  # the decoders have as many ways to complain as files have to be broken
        raise NotAnImage from error
    return CleanImage(stripped, container.ending)


def _require_every_pixel(container: Container, content: bytes) -> None:
    shown = _pixels(container, content)
    if container.probe is not None and _pixels(container, container.probe(content, NOISE)) != shown:
        raise NotAnImage


def _pixels(container: Container, content: bytes) -> bytes:
    """What tells one picture from another: a hash of all frames."""
    digest = hashlib.blake2b()
    with _open(container, content) as image:
        frames = getattr(image, "n_frames", 1)
        require_decodable(image.width, image.height, frames)
        for number in range(frames):
            if frames > 1:
                image.seek(number)
            image.load()
            digest.update(image.tobytes())
    return digest.digest()


def _open(container: Container, content: bytes) -> Image.Image:
    if container.format == "JPEG":
        return JpegImageFile(io.BytesIO(content))
    return Image.open(io.BytesIO(content), formats=[container.format])
