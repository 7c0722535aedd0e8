"""Storage in a local folder. An object appears under its key only when it is completely on disk."""

import os
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from anyio import to_thread

from openmusic_kit.errors import Unavailable
from openmusic_media.storage.content_types import content_type_of
from openmusic_media.storage.interface import ObjectNotFound, StoredObject

P = ParamSpec("P")
T = TypeVar("T")

MOVE_ATTEMPTS = 5


def _in_thread(call: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    @wraps(call)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await to_thread.run_sync(partial(call, *args, **kwargs))
        except OSError as error:
            raise Unavailable("The cover storage is not available") from error

    return run


class FolderStorage:
    """Keys have the form ``folder/file``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @_in_thread
    def put(self, key: str, content: bytes, content_type: str) -> None:  # noqa: ARG002 - follows from the extension
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

    @_in_thread
    def get(self, key: str) -> StoredObject:
        try:
            return StoredObject(self._path(key).read_bytes(), content_type_of(key))
        except FileNotFoundError as error:
            raise ObjectNotFound(key) from error

    @_in_thread
    def delete(self, key: str) -> None:
        with suppress(ObjectNotFound):
            path = self._path(key)
            path.unlink(missing_ok=True)
            with suppress(OSError):  # it is not empty
                path.parent.rmdir()

    @_in_thread
    def delete_all(self, prefix: str) -> None:
        folder = self._path(prefix)
        with suppress(FileNotFoundError):
            for file in list(folder.iterdir()):
                file.unlink(missing_ok=True)
            folder.rmdir()

    @_in_thread
    def keys(self, prefix: str = "") -> list[str]:
        files = self._root.glob("*/*")  # incomplete files lie one level above
        keys = sorted(str(path.relative_to(self._root)) for path in files)
        return [key for key in keys if key.startswith(prefix)]

    async def upload_form(self, key: str, max_bytes: int, expires_at: datetime) -> None:  # noqa: ARG002 - no server
        return None

    @_in_thread
    def modified_at(self, key: str) -> datetime:
        try:
            return datetime.fromtimestamp(self._path(key).stat().st_mtime, UTC)
        except FileNotFoundError as error:
            raise ObjectNotFound(key) from error

    @_in_thread
    def ping(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        if not os.access(self._root, os.W_OK):
            raise Unavailable("The cover storage is not writable")

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise ObjectNotFound(key)
        return path


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
