"""What we use of the events and answers of others; whatever else they hold is ignored."""

from openmusic_kit.schemas import Key, StoredText, WireModel


class SongData(WireModel):
    song_id: Key
    title: StoredText
    performer: StoredText


class SongDeletedData(WireModel):
    song_id: Key


class UserData(WireModel):
    user_id: Key
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
