"""Verifies that an upload is a complete image, and removes metadata without re-encoding."""

import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from openmusic_media.covers.containers import JPEG, NOISE, Container, container_of
from openmusic_media.covers.containers.bounds import MAX_PIXELS, require_decodable
from openmusic_media.covers.errors import ImageTooBig, NotAnImage

# A later frame may be larger than the first. Pillow refuses it at twice this value.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2


@dataclass(frozen=True)
class CleanImage:
    content: bytes
    extension: str


def clean(content: bytes) -> CleanImage:
    """Returns the image unchanged except for removed metadata. Raises NotAnImage or ImageTooBig."""
    try:
        container = container_of(content)
        stripped = container.strip(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limits are stricter
            _require_every_pixel(container, stripped)
    except (ImageTooBig, NotAnImage):
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ImageTooBig from error
    except Exception as error:  # decoders raise many kinds of errors for broken files
        raise NotAnImage from error
    return CleanImage(stripped, container.extension)


def _require_every_pixel(container: Container, content: bytes) -> None:
    digest = _pixel_digest(content)
    if container.probe is not None and _pixel_digest(container.probe(content, NOISE)) != digest:
        raise NotAnImage


def _pixel_digest(content: bytes) -> bytes:
    """Returns a hash of the pixels of all frames."""
    digest = hashlib.blake2b()
    with open_image(content) as image:
        frames = getattr(image, "n_frames", 1)
        require_decodable(image.width, image.height, frames)
        for number in range(frames):
            if frames > 1:
                image.seek(number)
            image.load()
            digest.update(image.tobytes())
    return digest.digest()


def open_image(content: bytes) -> Image.Image:
    """Reads the header only. Raises NotAnImage, and what the decoder raises for a broken file."""
    container = container_of(content)
    if container is JPEG:
        return JpegImageFile(io.BytesIO(content))  # Pillow would look for more pictures in the file
    return Image.open(io.BytesIO(content), formats=[container.format])
