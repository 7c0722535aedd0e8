from dataclasses import dataclass
from typing import Protocol


class ObjectNotFound(Exception):
    """There is nothing under that key."""


@dataclass(frozen=True)
class StoredObject:
    content: bytes
    content_type: str


class Storage(Protocol):
    """Keys are relative paths. Whatever keeps the storage from answering is raised as Unavailable."""

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Stores the object, whole or not at all."""

    async def get(self, key: str) -> StoredObject:
        """Raises ObjectNotFound."""

    async def delete(self, key: str) -> None:
        """Succeeds as well when there is nothing to delete."""

    async def delete_all(self, prefix: str) -> None:
        """Deletes every object whose key begins with the prefix."""

    async def keys(self) -> list[str]:
        """Of all objects, about 60 bytes each."""

    async def ping(self) -> None:
        """Raises unless the storage can be used."""
