"""Limits on the size of a decoded image."""

from openmusic_media.covers.errors import ImageTooBig

MAX_PIXELS = 25_000_000  # in one frame
MAX_TOTAL_PIXELS = 50_000_000  # in all frames together
MAX_FRAMES = 1_000


def require_decodable(width: int, height: int, frames: int = 1) -> None:
    """Raises ImageTooBig."""
    pixels = width * height
    if pixels > MAX_PIXELS or pixels * frames > MAX_TOTAL_PIXELS or frames > MAX_FRAMES:
        raise ImageTooBig
