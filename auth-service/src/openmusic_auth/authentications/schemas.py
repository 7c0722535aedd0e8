from typing import Annotated

from pydantic import Field

from openmusic_kit.web.schemas import OpaqueId, WireModel


class Login(WireModel):
    username: OpaqueId
    password: Annotated[str, Field(min_length=1, max_length=128, repr=False)]


class RefreshTokenPayload(WireModel):
    refresh_token: Annotated[str, Field(min_length=1, repr=False)]


class Tokens(WireModel):
    access_token: str
    refresh_token: str


class AccessToken(WireModel):
    access_token: str
