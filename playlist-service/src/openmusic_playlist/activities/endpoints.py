from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_kit.web.counting import WantsTotal, total_headers
from openmusic_kit.web.openapi import COUNTED, PAGED, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, CursorInvalid, Limit, decode_cursor, first_page
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute
from openmusic_kit.web.schemas import DataResponse
from openmusic_kit.web.streaming import stream_list
from openmusic_playlist.activities.schemas import ActivitiesData, Activity
from openmusic_playlist.activities.service import ActivityService
from openmusic_playlist.invalidation import activities_headers
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound


async def _activities(request: Request) -> ActivityService:
    service: ActivityService = request.app.state.activities
    return service


router = APIRouter(prefix="/playlists/{playlist_id}/activities", tags=["playlists"], route_class=ProtectedRoute)


@router.get(
    "",
    response_model=DataResponse[ActivitiesData],
    responses={**error_responses(PlaylistNotFound, NotYourPlaylist, CursorInvalid), **PAGED},
    openapi_extra=COUNTED,
)
async def get_activities(
    playlist_id: str,
    response: Response,
    user_id: CurrentUser,
    activities: Annotated[ActivityService, Depends(_activities)],
    counted: WantsTotal,
    limit: Limit = None,
    cursor: str = "",
    edits: bool = False,
) -> DataResponse[ActivitiesData] | Response:
    """Songs added and deleted; with ``edits`` everything else as well. The whole list unless there is a ``limit``."""

    async def page_after(position: str, number: int) -> list[Activity]:
        rows = await activities.of_playlist(playlist_id, user_id, position, number, edits)
        return [Activity.model_validate(row, from_attributes=True) for row in rows]

    page = await page_after(decode_cursor(cursor), limit + 1 if limit else PAGE_SIZE)
    total = await total_headers(counted, partial(activities.count, playlist_id, user_id, edits))
    if limit is None and len(page) == PAGE_SIZE:
        empty = DataResponse(data=ActivitiesData(playlist_id=playlist_id, activities=[]))
        return stream_list(empty, page, lambda last: page_after(str(last.position), PAGE_SIZE), total)
    response.headers.update(activities_headers(playlist_id) | total)
    if limit is not None:
        path, query = f"/playlists/{playlist_id}/activities", {"edits": "true"} if edits else {}
        page = first_page(page, limit, response, path, lambda last: str(last.position), **query)
    return DataResponse(data=ActivitiesData(playlist_id=playlist_id, activities=page))
