from typing import Annotated

from pydantic import Field, WithJsonSchema

from openmusic_auth.users import repository
from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import DataResponse, Text, WireModel

Id = Annotated[str, WithJsonSchema(id_schema("user"))]
Username = Annotated[Text, Field(max_length=255)]
NewPassword = Annotated[str, Field(min_length=6, max_length=128)]


class Registration(WireModel):
    username: Username
    password: NewPassword = Field(repr=False)
    fullname: Text


class UserId(WireModel):
    user_id: Id


class User(WireModel):
    id: Id
    username: str
    fullname: str


class UserData(WireModel):
    user: User


class UsersData(WireModel):
    users: list[User]


class UserCopy(WireModel):
    """What another service may keep of a user."""

    id: str
    username: str
    version: int


class UserCopies(WireModel):
    users: list[UserCopy]


def encode_user(user: repository.User) -> bytes:
    data = UserData.model_validate({"user": user}, from_attributes=True)
    return DataResponse(data=data).model_dump_json(by_alias=True).encode()
