"""Image containers: what to keep of each, what to remove, and whether every pixel is present.

Each module has ``strip(content)``. It returns the image's own bytes, in their order, without metadata that could
identify a person and without foreign data. Everything that affects how the image looks is kept unchanged: pixels,
colour, transparency, animation, orientation, density. Damage in what is removed is ignored. For damage in what is kept,
``strip`` raises NotAnImage, ImageTooBig, ValueError, IndexError or struct.error.

Some decoders fill in missing pixels. PNG and GIF state how many there must be, so ``strip`` counts them; of JPEG it
follows the scans. How long a scan of JPEG or a frame of WebP is, only the decoder finds out: ``probe`` returns the same
image with noise after its compressed data. A decoder that has found every pixel ignores the noise. One that has not
decodes it as pixels, and the result differs.
"""

from collections.abc import Callable
from dataclasses import dataclass

from openmusic_media.covers.containers import avif, gif, jpeg, png, webp
from openmusic_media.covers.errors import NotAnImage

NOISE = bytes((73 * number + 41) % 251 for number in range(96))
"""Irregular, and without 0xFF, which starts a marker in JPEG."""


@dataclass(frozen=True)
class Container:
    """``format`` is Pillow's name. ``probe`` is None where ``strip`` counts the pixels."""

    format: str
    extension: str
    strip: Callable[[bytes], bytes]
    probe: Callable[[bytes, bytes], bytes] | None = None


PNG = Container("PNG", "png", png.strip)
JPEG = Container("JPEG", "jpg", jpeg.strip, jpeg.probe)
GIF = Container("GIF", "gif", gif.strip)
WEBP = Container("WEBP", "webp", webp.strip, webp.probe)
AVIF = Container("AVIF", "avif", avif.strip)


def container_of(content: bytes) -> Container:
    """Detects the container by its first bytes. Raises NotAnImage."""
    if content.startswith(png.SIGNATURE):
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    if content[4:8] == b"ftyp":
        return AVIF
    raise NotAnImage
