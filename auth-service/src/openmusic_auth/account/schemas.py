from datetime import datetime
from typing import Annotated

from pydantic import Field, WithJsonSchema

from openmusic_auth.users.schemas import NewPassword
from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import Text, WireModel


class AccountPayload(WireModel):
    fullname: Text


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


class SessionsData(WireModel):
    sessions: list[Session]
