"""Uploads that go from the client to the storage. Nothing of them is served before it is checked like any other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from openmusic_kit.errors import ServiceError, Unavailable
from openmusic_kit.ids import created_at_of, is_id, new_id, require_id
from openmusic_media.covers.errors import AlbumNotFound, NoDirectUploads, UploadNotFound
from openmusic_media.covers.keys import INCOMING, incoming_key, upload_id_of
from openmusic_media.covers.service import MAX_BYTES, CoverService
from openmusic_media.storage.interface import ObjectNotFound, Storage, UploadForm

LIFE = timedelta(minutes=15)
"""Until the form expires."""
KEPT = timedelta(hours=1)
"""Until an upload that nobody completed is deleted."""


@dataclass(frozen=True)
class DirectUpload:
    id: str
    form: UploadForm
    expires_at: datetime


class DirectUploads:
    def __init__(
        self, storage: Storage, covers: CoverService, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._storage = storage
        self._covers = covers
        self._now = now

    async def begin(self, album_id: str) -> DirectUpload:
        """Raises AlbumNotFound for what is no id of an album; whether there is one, only the completion asks.

        Raises NoDirectUploads unless clients can reach the storage.
        """
        require_id("album", album_id, AlbumNotFound)
        upload_id, expires_at = new_id("upload"), self._now() + LIFE
        form = await self._storage.upload_form(incoming_key(album_id, upload_id), MAX_BYTES, expires_at)
        if form is None:
            raise NoDirectUploads
        await self._sweep()
        return DirectUpload(upload_id, form, expires_at)

    async def complete(self, album_id: str, upload_id: str) -> str:
        """Makes the upload the cover of the album. Returns its path. Raises what ``replace_of_album`` does.

        It can be completed again only after Unavailable.
        """
        require_id("album", album_id, AlbumNotFound)
        require_id("upload", upload_id, UploadNotFound)
        key = incoming_key(album_id, upload_id)
        try:
            upload = await self._storage.get(key)
        except ObjectNotFound as error:
            raise UploadNotFound from error
        try:
            path = await self._covers.replace_of_album(album_id, upload.content)
        except Unavailable:
            raise
        except ServiceError:
            await self._storage.delete(key)
            raise
        await self._storage.delete(key)
        return path

    async def _sweep(self) -> None:
        """Each new upload deletes those that were given up."""
        for key in await self._storage.keys(INCOMING):
            upload_id = upload_id_of(key)
            if is_id("upload", upload_id) and created_at_of(upload_id) < self._now() - KEPT:
                await self._storage.delete(key)
