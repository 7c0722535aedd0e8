from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class ObjectNotFound(Exception):
    """No object has that key."""


@dataclass(frozen=True)
class StoredObject:
    content: bytes
    content_type: str


@dataclass(frozen=True)
class UploadForm:
    """A multipart form that a client sends to ``url``: these fields, then the field ``file`` with the content."""

    url: str
    fields: dict[str, str]


class Storage(Protocol):
    """Keys are relative paths. Failures of the storage are raised as Unavailable."""

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Stores the object completely or not at all."""

    async def get(self, key: str) -> StoredObject:
        """Raises ObjectNotFound."""

    async def delete(self, key: str) -> None:
        """Also succeeds when the object does not exist."""

    async def delete_all(self, prefix: str) -> None:
        """Deletes every object whose key starts with the prefix."""

    async def keys(self, prefix: str = "") -> list[str]:
        """Returns the keys of all objects, or of those that start with the prefix; about 60 bytes each."""

    async def upload_form(self, key: str, max_bytes: int, expires_at: datetime) -> UploadForm | None:
        """Returns None if clients cannot reach the storage. An object of 1 to ``max_bytes`` bytes is accepted."""

    async def modified_at(self, key: str) -> datetime:
        """When the object was stored, in UTC. Raises ObjectNotFound."""

    async def ping(self) -> None:
        """Raises unless the storage can be used."""
