"""A local folder. An object appears under its name only when all of it is on the disk."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from anyio import to_thread

from openmusic_kit.errors import Unavailable
from openmusic_media.storage.content_types import content_type_of
from openmusic_media.storage.interface import ObjectNotFound, StoredObject


class FolderStorage:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, content: bytes, content_type: str) -> None:  # noqa: ARG002 - told by the ending
        await to_thread.run_sync(self._put, key, content)

    async def get(self, key: str) -> StoredObject:
        return StoredObject(await to_thread.run_sync(self._get, key), content_type_of(key))

    async def delete(self, key: str) -> None:
        await to_thread.run_sync(self._delete, key)

    async def delete_all(self, prefix: str) -> None:
        await to_thread.run_sync(self._delete_all, prefix)

    async def ping(self) -> None:
        await to_thread.run_sync(self._ping)

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise ObjectNotFound(key)
        return path

    def _put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise Unavailable("The cover storage is not available") from error

    def _get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise ObjectNotFound(key) from error
        except OSError as error:
            raise Unavailable("The cover storage is not available") from error

    def _delete(self, key: str) -> None:
        with suppress(ObjectNotFound, FileNotFoundError):
            self._path(key).unlink()

    def _delete_all(self, prefix: str) -> None:
        shutil.rmtree(self._path(prefix), ignore_errors=True)

    def _ping(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        if not os.access(self._root, os.W_OK):
            raise Unavailable("The cover storage is not writable")
