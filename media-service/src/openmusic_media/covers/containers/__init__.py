"""The containers that pictures come in: what stays in each, what goes, and whether every pixel is there.

Each module has ``strip(content)``: the picture's own bytes, in their order, without anything that could identify a
person or carry something else. What decides how the picture looks stays as it came: pixels, colour, transparency,
animation, orientation, density. Damage in what goes is ignored; ``strip`` raises NotAnImage, ImageTooBig, ValueError,
IndexError or struct.error for damage in what stays.

Some decoders fill in pixels that are missing. A PNG and a GIF say how many there must be, so ``strip`` counts them. A
JPEG and a WebP do not: for those ``probe`` gives the same picture with noise behind its compressed data. A decoder that
has found every pixel does not look at the noise; one that has not takes it for pixels, and the picture differs.
"""

from collections.abc import Callable
from dataclasses import dataclass

from openmusic_media.covers.containers import avif, gif, jpeg, png, webp
from openmusic_media.covers.errors import NotAnImage

NOISE = bytes((73 * number + 41) % 251 for number in range(96))
"""Neither JPEG's 0xFF nor anything regular."""


@dataclass(frozen=True)
class Container:
    """``format`` is Pillow's name for it. ``probe`` is None where ``strip`` counts the pixels."""

    format: str
    ending: str
    strip: Callable[[bytes], bytes]
    probe: Callable[[bytes, bytes], bytes] | None = None


PNG = Container("PNG", "png", png.strip)
JPEG = Container("JPEG", "jpg", jpeg.strip, jpeg.probe)
GIF = Container("GIF", "gif", gif.strip)
WEBP = Container("WEBP", "webp", webp.strip, webp.probe)
AVIF = Container("AVIF", "avif", avif.strip)


def container_of(content: bytes) -> Container:
    """By its first bytes. Raises NotAnImage."""
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
