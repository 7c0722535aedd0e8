from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from openmusic_auth.users.schemas import NewPassword, User, Username
from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import Text, WireModel


class AccountPayload(WireModel):
    """What is left out stays as it is; the factories only keep defaults out of the document."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["username"]}, {"required": ["fullname"]}]})
    username: Username = Field(default_factory=str)
    fullname: Text = Field(default_factory=str)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("must have a username or a fullname")
        return self


Password = Annotated[str, Field(min_length=1, max_length=128, repr=False)]


class DeletionPayload(WireModel):
    password: Password


class PasswordPayload(WireModel):
    password: Password
    """The current one."""
    new_password: NewPassword = Field(repr=False)
    refresh_token: str | None = Field(None, repr=False)
    """The session that stays; all others end."""


class Session(WireModel):
    id: Annotated[str, WithJsonSchema(id_schema("session"))]
    created_at: datetime
    expires_at: datetime
    user_agent: str | None


class OwnSong(WireModel):
    id: str
    title: str
    performer: str


class OwnPlaylist(WireModel):
    id: str
    name: str
    description: str
    public: bool
    cover_url: str | None
    songs: list[OwnSong]


class OwnCollaboration(WireModel):
    """A playlist of another user, by the username."""

    id: str
    name: str
    username: str


class OwnActivity(WireModel):
    playlist_id: str
    title: str
    action: str
    time: datetime


class LikedAlbum(WireModel):
    id: str
    name: str


class OwnExport(WireModel):
    id: str
    playlist_id: str
    target_email: str
    format: str
    state: str
    attempts: int
    problem: str | None
    created_at: datetime
    finished_at: datetime | None


class AccountPart(WireModel):
    """What this service stores of a user."""

    user: User
    sessions: list[Session]


class AllData(AccountPart):
    """What all services store of a user. Other services send their sections; this only describes them."""

    playlists: list[OwnPlaylist]
    collaborations: list[OwnCollaboration]
    activities: list[OwnActivity]
    likes: list[LikedAlbum]
    exports: list[OwnExport]


class SessionsData(WireModel):
    sessions: list[Session]
