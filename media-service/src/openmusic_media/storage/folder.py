"""Storage in a local folder. An object appears under its key only when it is completely on disk."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from anyio import to_thread

from openmusic_kit.errors import Unavailable
from openmusic_media.storage.content_types import content_type_of
from openmusic_media.storage.interface import ObjectNotFound, StoredObject

P = ParamSpec("P")
T = TypeVar("T")

MOVE_ATTEMPTS = 5


class FolderStorage:
    """Keys have the form ``folder/file``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, content: bytes, content_type: str) -> None:  # noqa: ARG002 - follows from the extension
        await self._run(self._put, key, content)

    async def get(self, key: str) -> StoredObject:
        return StoredObject(await self._run(self._get, key), content_type_of(key))

    async def delete(self, key: str) -> None:
        await self._run(self._delete, key)

    async def delete_all(self, prefix: str) -> None:
        await self._run(self._delete_all, prefix)

    async def keys(self) -> list[str]:
        return await self._run(self._keys)

    async def ping(self) -> None:
        await self._run(self._ping)

    async def _run(self, call: Callable[P, T], *args: P.args, **_: P.kwargs) -> T:
        try:
            return await to_thread.run_sync(call, *args)
        except OSError as error:
            raise Unavailable("The cover storage is not available") from error

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise ObjectNotFound(key)
        return path

    def _put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        self._root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._root, prefix=".", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                _move(Path(file.name), path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as error:
            raise ObjectNotFound(key) from error

    def _delete(self, key: str) -> None:
        with suppress(ObjectNotFound):
            path = self._path(key)
            path.unlink(missing_ok=True)
            with suppress(OSError):  # it is not empty
                path.parent.rmdir()

    def _delete_all(self, prefix: str) -> None:
        folder = self._path(prefix)
        with suppress(FileNotFoundError):
            for file in list(folder.iterdir()):
                file.unlink(missing_ok=True)
            folder.rmdir()

    def _keys(self) -> list[str]:
        files = self._root.glob("*/*")  # incomplete files lie one level above
        return sorted(str(path.relative_to(self._root)) for path in files)

    def _ping(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        if not os.access(self._root, os.W_OK):
            raise Unavailable("The cover storage is not writable")


def _move(file: Path, path: Path) -> None:
    """Retries when a concurrent deletion removes the folder after it was created."""
    for left in reversed(range(MOVE_ATTEMPTS)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file.replace(path)
        except (FileNotFoundError, FileExistsError):
            if not left:
                raise
        else:
            return
