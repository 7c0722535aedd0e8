from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from openmusic_kit import edge
from openmusic_kit.paging import PAGE_SIZE, decode_cursor, encode_cursor, next_page_link
from openmusic_kit.schemas import Answer
from openmusic_kit.web import CurrentUser, ProtectedRoute
from openmusic_playlist.activities.schemas import ActivitiesData, Activity
from openmusic_playlist.activities.service import ActivityService
from openmusic_playlist.edge_tags import playlist_tag


async def _activities(request: Request) -> ActivityService:
    service: ActivityService = request.app.state.activities
    return service


router = APIRouter(prefix="/playlists/{playlist_id}/activities", tags=["playlists"], route_class=ProtectedRoute)


@router.get("")
async def get_activities(
    playlist_id: str,
    response: Response,
    user_id: CurrentUser,
    activities: Annotated[ActivityService, Depends(_activities)],
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE)] = PAGE_SIZE,
    cursor: str = "",
) -> Answer[ActivitiesData]:
    rows = await activities.of_playlist(playlist_id, user_id, decode_cursor(cursor), limit + 1)
    page = rows[:limit]
    response.headers.update(edge.private(playlist_tag(playlist_id)))
    if len(rows) > limit:
        path = f"/playlists/{playlist_id}/activities"
        response.headers["Link"] = next_page_link(path, limit=limit, cursor=encode_cursor(str(page[-1]["position"])))
    shown = [Activity.model_validate(row) for row in page]
    return Answer(data=ActivitiesData(playlist_id=playlist_id, activities=shown))
