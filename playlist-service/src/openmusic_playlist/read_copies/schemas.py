"""What we use of the events and answers of others; whatever else they hold is ignored."""

from openmusic_kit.schemas import WireModel


class SongData(WireModel):
    song_id: str
    title: str
    performer: str


class SongDeletedData(WireModel):
    song_id: str


class UserData(WireModel):
    user_id: str
    username: str


class SongAnswer(WireModel):
    id: str
    title: str
    performer: str
    version: int


class UserAnswer(WireModel):
    id: str
    username: str
