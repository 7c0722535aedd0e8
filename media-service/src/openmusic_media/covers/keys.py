"""Keys of covers and of their thumbnails in the storage: ``album-…/HASH-UNIQUE.png`` and ``….640.webp``.

The folder is the id of an album or a playlist."""

import re
import uuid
from enum import IntEnum

PUBLIC_PREFIX = "/covers/"
INCOMING = "incoming/"
_STEM = r"(?P<folder>(?:album|playlist)-[0-9a-f]{32})/(?P<digest>[0-9a-f]{32})-[0-9a-f]{32}"
_COVER = re.compile(_STEM + r"\.(?:png|jpg|webp|gif|avif)")
_THUMBNAIL = re.compile(_STEM + r"\.[0-9]+\.webp")


class ThumbnailSize(IntEnum):
    """The longer side of a thumbnail, at most."""

    SMALL = 64
    MEDIUM = 256
    LARGE = 640


def new_cover_key(folder: str, digest: str, extension: str) -> str:
    """The unique part keeps the deletion of a replaced cover from deleting the same image uploaded again."""
    return f"{folder}/{digest}-{uuid.uuid4().hex}.{extension}"


def parse_cover_key(key: str) -> re.Match[str] | None:
    """Finds the groups ``folder`` and ``digest``."""
    return _COVER.fullmatch(key)


def thumbnail_key(cover_key: str, size: ThumbnailSize) -> str:
    return f"{stem_of(cover_key)}.{size:d}.webp"


def stem_of(key: str) -> str:
    """What a cover and its thumbnails have in common."""
    return key.partition(".")[0]


def incoming_key(album_id: str, upload_id: str) -> str:
    """Of an upload that nobody has checked. Keys sort by the time of their uploads."""
    return f"{INCOMING}{upload_id}.{album_id}"


def upload_id_of(key: str) -> str:
    return stem_of(key.removeprefix(INCOMING))


def is_thumbnail_key(key: str) -> bool:
    return _THUMBNAIL.fullmatch(key) is not None
