from datetime import datetime

from pydantic import Field

from openmusic_kit.web.schemas import WireModel


class Song(WireModel):
    id: str
    title: str
    performer: str


class OwnPlaylist(WireModel):
    id: str
    name: str
    description: str
    public: bool
    cover_url: str | None
    songs: list[Song]


class OwnCollaboration(WireModel):
    id: str
    name: str
    username: str


class OwnActivity(WireModel):
    position: int = Field(exclude=True)
    playlist_id: str
    title: str
    action: str
    time: datetime
