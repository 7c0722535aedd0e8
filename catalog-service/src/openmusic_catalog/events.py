"""What the catalogue announces."""

from typing import ClassVar

from openmusic_kit.messaging.events import EventData


class SongCreated(EventData):
    event_type: ClassVar[str] = "song.created"
    event_version: ClassVar[int] = 1
    song_id: str
    title: str
    performer: str


class SongUpdated(EventData):
    event_type: ClassVar[str] = "song.updated"
    event_version: ClassVar[int] = 1
    song_id: str
    title: str
    performer: str


class SongDeleted(EventData):
    event_type: ClassVar[str] = "song.deleted"
    event_version: ClassVar[int] = 1
    song_id: str


class AlbumDeleted(EventData):
    event_type: ClassVar[str] = "album.deleted"
    event_version: ClassVar[int] = 1
    album_id: str


class AlbumCoverReplaced(EventData):
    """``path`` is the public path of the cover that is no longer used."""

    event_type: ClassVar[str] = "album.cover_replaced"
    event_version: ClassVar[int] = 1
    album_id: str
    path: str
