"""The events that this service publishes."""

from typing import ClassVar

from openmusic_kit.messaging.events import EventData, NonEmptyText
from openmusic_kit.web.schemas import ShortText


class SongCreated(EventData):
    event_type: ClassVar[str] = "song.created"
    event_version: ClassVar[int] = 1
    song_id: ShortText
    title: NonEmptyText
    performer: NonEmptyText


class SongUpdated(EventData):
    event_type: ClassVar[str] = "song.updated"
    event_version: ClassVar[int] = 1
    song_id: ShortText
    title: NonEmptyText
    performer: NonEmptyText


class SongDeleted(EventData):
    event_type: ClassVar[str] = "song.deleted"
    event_version: ClassVar[int] = 1
    song_id: ShortText


class AlbumDeleted(EventData):
    event_type: ClassVar[str] = "album.deleted"
    event_version: ClassVar[int] = 1
    album_id: ShortText


class AlbumCoverReplaced(EventData):
    """``path`` is the public path of the cover that is no longer used."""

    event_type: ClassVar[str] = "album.cover_replaced"
    event_version: ClassVar[int] = 1
    album_id: ShortText
    path: NonEmptyText
