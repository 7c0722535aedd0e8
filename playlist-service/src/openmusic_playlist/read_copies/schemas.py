"""What we use of the events and answers of others; whatever else they hold is ignored."""

from typing import ClassVar, Self

from openmusic_kit.messaging.events import EventData
from openmusic_kit.web.schemas import Int64, ShortText, StoredText, WireModel


class SongCreated(EventData):
    event_type: ClassVar[str] = "song.created"
    event_version: ClassVar[int] = 1
    song_id: ShortText
    title: StoredText
    performer: StoredText


class SongUpdated(SongCreated):
    event_type: ClassVar[str] = "song.updated"


class SongDeleted(EventData):
    event_type: ClassVar[str] = "song.deleted"
    event_version: ClassVar[int] = 1
    song_id: ShortText


class UserRegistered(EventData):
    event_type: ClassVar[str] = "user.registered"
    event_version: ClassVar[int] = 1
    user_id: ShortText
    username: StoredText


class SongAnswer(WireModel):
    id: str
    title: str
    performer: str
    version: int


class SongsAnswer(WireModel):
    songs: list[SongAnswer]


class UserAnswer(WireModel):
    id: str
    username: str


class UsersAnswer(WireModel):
    users: list[UserAnswer]


class SongText(WireModel):
    title: StoredText
    performer: StoredText


class SongChange(WireModel):
    """What a song became with that version; without ``song`` it was deleted."""

    version: Int64
    song: SongText | None

    @classmethod
    def of(cls, song: SongAnswer) -> Self:
        return cls(version=song.version, song=SongText(title=song.title, performer=song.performer))
