"""All covers as a tar archive, whatever storage they are in: a backup of one kind of storage restores into another."""

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable, Container
from functools import partial
from typing import BinaryIO, TypeVar

from openmusic_kit.errors import ServiceError, Unavailable
from openmusic_media.storage.content_types import content_type_of
from openmusic_media.storage.interface import ObjectNotFound, Storage

T = TypeVar("T")

ATTEMPTS = 10  # of each step: who waits for an archive has more patience than who waits for one cover
PAUSE = 1.0  # seconds


class ArchiveDamaged(ServiceError):
    """Not a whole archive of covers. Those before the damage are stored."""


async def export_covers(storage: Storage, archive: BinaryIO, known: Container[str] = ()) -> None:
    """Writes every cover but those that are known. One that is deleted meanwhile may be missing."""
    with tarfile.open(fileobj=archive, mode="w|") as tar:
        for key in await _patiently(storage.keys):
            if key in known:
                continue
            try:
                content = (await _patiently(partial(storage.get, key))).content
            except ObjectNotFound:
                continue
            entry = tarfile.TarInfo(key)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


async def import_covers(storage: Storage, archive: BinaryIO) -> None:
    """Stores every cover of the archive; raises ArchiveDamaged."""
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for entry in tar:
                file = tar.extractfile(entry)
                if file is None:
                    raise ArchiveDamaged(f"{entry.name} is not a file")
                put = partial(storage.put, entry.name, file.read(), content_type_of(entry.name))
                await _patiently(put)
    except tarfile.TarError as error:
        raise ArchiveDamaged(f"This is not a whole archive of covers: {error}") from error


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Raises Unavailable when the storage was away each time."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(PAUSE)
    return await call()
