"""Deletes covers that are no longer used. Deletion is idempotent, so no inbox is needed."""

from typing import ClassVar

from openmusic_kit.ids import is_id
from openmusic_kit.messaging.consumer import UnprocessableMessage
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.subscription import Subscription
from openmusic_media.covers.errors import CoverNotFound
from openmusic_media.covers.service import CoverService


class AlbumDeleted(EventData):
    event_type: ClassVar[str] = "album.deleted"
    event_version: ClassVar[int] = 1
    album_id: str


class CoverReplaced(EventData):
    event_type: ClassVar[str] = "album.cover_replaced"
    event_version: ClassVar[int] = 1
    album_id: str
    path: str


class PlaylistCoverUnused(EventData):
    event_type: ClassVar[str] = "playlist.cover_unused"
    event_version: ClassVar[int] = 1
    playlist_id: str
    path: str


async def delete_album(covers: CoverService, event: AlbumDeleted, _: Envelope) -> None:
    if not is_id("album", event.album_id):
        raise UnprocessableMessage("not the id of an album")
    await covers.delete_all(event.album_id)


async def delete_album_cover(covers: CoverService, event: CoverReplaced, _: Envelope) -> None:
    try:
        await covers.delete(event.album_id, event.path)
    except CoverNotFound as error:
        raise UnprocessableMessage("not a cover of that album") from error


async def delete_playlist_cover(covers: CoverService, event: PlaylistCoverUnused, _: Envelope) -> None:
    try:
        await covers.delete(event.playlist_id, event.path)
    except CoverNotFound as error:
        raise UnprocessableMessage("not a cover of that playlist") from error


SUBSCRIPTION = Subscription[CoverService](
    "media.covers",
    {AlbumDeleted: delete_album, CoverReplaced: delete_album_cover, PlaylistCoverUnused: delete_playlist_cover},
)
QUEUE = SUBSCRIPTION.queue
