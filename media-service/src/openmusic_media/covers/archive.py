"""All covers as a tar archive. A backup of one kind of storage can be restored into another."""

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable, Container
from functools import partial
from typing import BinaryIO, TypeVar

from openmusic_kit.errors import ServiceError, Unavailable
from openmusic_media.covers.keys import INCOMING, is_thumbnail_key
from openmusic_media.storage.content_types import content_type_of
from openmusic_media.storage.interface import ObjectNotFound, Storage

T = TypeVar("T")

ATTEMPTS = 10  # per storage call; an archive can wait longer than a request for one cover
RETRY_DELAY = 1.0  # seconds


class ArchiveDamaged(ServiceError):
    """The archive is damaged. Covers before the damage were imported."""


async def export_covers(storage: Storage, archive: BinaryIO, excluded: Container[str] = ()) -> None:
    """Writes every cover except the ``excluded`` keys, without thumbnails and uploads that nobody has checked.

    A cover deleted during the export may be missing.
    """
    with tarfile.open(fileobj=archive, mode="w|") as tar:
        for key in await _with_retries(storage.keys):
            if key in excluded or is_thumbnail_key(key) or key.startswith(INCOMING):
                continue
            try:
                content = (await _with_retries(partial(storage.get, key))).content
            except ObjectNotFound:
                continue
            entry = tarfile.TarInfo(key)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


async def import_covers(storage: Storage, archive: BinaryIO) -> None:
    """Stores every cover of the archive. Raises ArchiveDamaged."""
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for entry in tar:
                file = tar.extractfile(entry)
                if file is None:
                    raise ArchiveDamaged(f"{entry.name} is not a file")
                put = partial(storage.put, entry.name, file.read(), content_type_of(entry.name))
                await _with_retries(put)
    except tarfile.TarError as error:
        raise ArchiveDamaged(f"The archive of covers is damaged: {error}") from error


async def _with_retries(call: Callable[[], Awaitable[T]]) -> T:
    """Raises Unavailable when the last attempt fails as well."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(RETRY_DELAY)
    return await call()
