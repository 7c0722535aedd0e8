from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_auth.invalidation import user_headers
from openmusic_auth.users.errors import UsernameTaken, UserNotFound
from openmusic_auth.users.schemas import Registration, UserCopies, UserCopy, UserData, UserId, UsersData, encode_user
from openmusic_auth.users.service import UserService
from openmusic_kit.web.openapi import LOCATED, REPEATABLE, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, PageSize
from openmusic_kit.web.responses import tagged_answer
from openmusic_kit.web.routes import CurrentUser, InternalRoute, ProtectedRoute, TimedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, StoredText


async def _users(request: Request) -> UserService:
    service: UserService = request.app.state.users
    return service


Users = Annotated[UserService, Depends(_users)]

router = APIRouter(prefix="/users", tags=["users"], route_class=TimedRoute)
search_router = APIRouter(prefix="/users", tags=["users"], route_class=ProtectedRoute)
internal_router = APIRouter(prefix="/internal/users", route_class=InternalRoute, include_in_schema=False)


@router.post("", status_code=201, responses={**error_responses(UsernameTaken), **LOCATED}, openapi_extra=REPEATABLE)
async def register(registration: Registration, users: Users, response: Response) -> CreatedResponse[UserId]:
    user_id = await users.register(registration.username, registration.password, registration.fullname)
    response.headers["Location"] = f"/users/{user_id}"
    return CreatedResponse(message="User registered", data=UserId(user_id=user_id))


@search_router.get("")
async def find_users(username: StoredText, _: CurrentUser, users: Users) -> DataResponse[UsersData]:
    """The user of exactly this name, if there is one: a list of one or none."""
    found = await users.find(username)
    return DataResponse(data=UsersData.model_validate({"users": found}, from_attributes=True))


@router.get("/{user_id}", response_model=DataResponse[UserData], responses=error_responses(UserNotFound))
async def get_user(user_id: str, users: Users) -> Response:
    return tagged_answer(encode_user(await users.get(user_id)), user_headers(user_id))


@internal_router.get("")
async def get_user_copies(
    users: Users, after: StoredText = "", limit: PageSize = PAGE_SIZE
) -> DataResponse[UserCopies]:
    copies = await users.list_copies(after, limit)
    return DataResponse(data=UserCopies.model_validate({"users": copies}, from_attributes=True))


@internal_router.get("/{user_id}")
async def get_user_copy(user_id: str, users: Users) -> DataResponse[UserCopy]:
    return DataResponse(data=UserCopy.model_validate(await users.get_copy(user_id), from_attributes=True))
