from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_kit.web.routes import CurrentUser, ProtectedRoute
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.invalidation import playlists_headers
from openmusic_playlist.playlists.schemas import PlaylistsData
from openmusic_playlist.search.schemas import Query, Results
from openmusic_playlist.search.service import SearchService


async def _search(request: Request) -> SearchService:
    service: SearchService = request.app.state.search
    return service


router = APIRouter(prefix="/search/playlists", tags=["search"], route_class=ProtectedRoute)


@router.get("")
async def search_playlists(
    q: Query,
    response: Response,
    user_id: CurrentUser,
    service: Annotated[SearchService, Depends(_search)],
    limit: Results = 10,
) -> DataResponse[PlaylistsData]:
    """Returns the best ``limit`` of the playlists that you own or share. Accents and letter case do not matter.

    A playlist matches if its name has all words of ``q``. Equal names come first, then those that begin with ``q``.
    """
    found = await service.find(user_id, q, limit)
    response.headers.update(playlists_headers(user_id))
    return DataResponse(data=PlaylistsData.model_validate({"playlists": found}, from_attributes=True))
