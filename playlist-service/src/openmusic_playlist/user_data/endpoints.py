"""What this service contributes to the file with all data of a user."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from openmusic_kit.web.paging import PAGE_SIZE, Section, section
from openmusic_kit.web.routes import InternalRoute
from openmusic_kit.web.schemas import DataResponse, StoredText
from openmusic_playlist.user_data.schemas import OwnActivity, OwnCollaboration, OwnPlaylist
from openmusic_playlist.user_data.service import UserDataService

PLAYLISTS = 20  # with all their songs


async def _user_data(request: Request) -> UserDataService:
    service: UserDataService = request.app.state.user_data
    return service


UserData = Annotated[UserDataService, Depends(_user_data)]

internal_router = APIRouter(prefix="/internal/users/{user_id}/data", route_class=InternalRoute, include_in_schema=False)


@internal_router.get("/playlists")
async def get_playlists(
    user_id: str, user_data: UserData, after: StoredText = ""
) -> DataResponse[Section[OwnPlaylist]]:
    rows = await user_data.playlists(user_id, after, PLAYLISTS)
    items = [OwnPlaylist.model_validate(row, from_attributes=True) for row in rows]
    return DataResponse(data=section(items, PLAYLISTS, attrgetter("id")))


@internal_router.get("/collaborations")
async def get_collaborations(
    user_id: str, user_data: UserData, after: StoredText = ""
) -> DataResponse[Section[OwnCollaboration]]:
    rows = await user_data.collaborations(user_id, after, PAGE_SIZE)
    items = [OwnCollaboration.model_validate(row, from_attributes=True) for row in rows]
    return DataResponse(data=section(items, PAGE_SIZE, attrgetter("id")))


@internal_router.get("/activities")
async def get_activities(user_id: str, user_data: UserData, after: int = 0) -> DataResponse[Section[OwnActivity]]:
    rows = await user_data.activities(user_id, after, PAGE_SIZE)
    items = [OwnActivity.model_validate(row, from_attributes=True) for row in rows]
    return DataResponse(data=section(items, PAGE_SIZE, lambda last: str(last.position)))
