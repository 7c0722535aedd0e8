"""The parts of other services' events and responses that this service uses; other keys are ignored."""

from typing import ClassVar

from openmusic_kit.messaging.events import EventData
from openmusic_kit.web.schemas import Int64, ShortText, StoredText, WireModel
from openmusic_playlist.projections.models import SongCopy, UserCopy


class SongDetails(WireModel):
    title: StoredText
    performer: StoredText

    def as_copy(self, song_id: str, version: int) -> SongCopy:
        return SongCopy(song_id, version, self.title, self.performer)


class SongCreated(SongDetails, EventData):
    event_type: ClassVar[str] = "song.created"
    event_version: ClassVar[int] = 1
    song_id: ShortText


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


class UserRenamed(UserRegistered):
    event_type: ClassVar[str] = "user.renamed"


class UserDeleted(EventData):
    event_type: ClassVar[str] = "user.deleted"
    event_version: ClassVar[int] = 1
    user_id: ShortText


class SongAnswer(SongDetails):
    id: str
    version: int


class SongsAnswer(WireModel):
    songs: list[SongAnswer]

    def copies(self) -> list[SongCopy]:
        return [song.as_copy(song.id, song.version) for song in self.songs]


class UserAnswer(WireModel):
    id: str
    username: str
    version: int = 1
    """Of earlier versions of the service, which renamed nobody."""

    def as_copy(self) -> UserCopy:
        return UserCopy(self.id, self.version, self.username)


class UsersAnswer(WireModel):
    users: list[UserAnswer]

    def copies(self) -> list[UserCopy]:
        return [user.as_copy() for user in self.users]


class SongChange(WireModel):
    """The state of a song at that version; ``song`` is null once the song is deleted."""

    version: Int64
    song: SongDetails | None

    def as_copy(self, song_id: str) -> SongCopy:
        if self.song is None:
            return SongCopy(song_id, self.version, deleted=True)
        return self.song.as_copy(song_id, self.version)
