"""All covers as a tar archive, whatever storage they are in: a backup of one kind of storage restores into another."""

import io
import tarfile
from collections.abc import Container
from typing import BinaryIO

from openmusic_kit.errors import ServiceError
from openmusic_media.storage.content_types import content_type_of
from openmusic_media.storage.interface import ObjectNotFound, Storage


class ArchiveDamaged(ServiceError):
    """Not a whole archive of covers. Those before the damage are stored."""


async def export_covers(storage: Storage, archive: BinaryIO, known: Container[str] = ()) -> None:
    """Writes every cover but those that are known. One that is deleted meanwhile may be missing."""
    with tarfile.open(fileobj=archive, mode="w|") as tar:
        for key in await storage.keys():
            if key in known:
                continue
            try:
                content = (await storage.get(key)).content
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
                await storage.put(entry.name, file.read(), content_type_of(entry.name))
    except tarfile.TarError as error:
        raise ArchiveDamaged(f"This is not a whole archive of covers: {error}") from error
