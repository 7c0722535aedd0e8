from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_catalog.invalidation import search_headers
from openmusic_catalog.search.schemas import Query, Results, SearchData
from openmusic_catalog.search.service import SearchService
from openmusic_kit.web.routes import TimedRoute
from openmusic_kit.web.schemas import DataResponse


async def _search(request: Request) -> SearchService:
    service: SearchService = request.app.state.search
    return service


router = APIRouter(prefix="/search", tags=["search"], route_class=TimedRoute)


@router.get("")
async def search(
    q: Query, service: Annotated[SearchService, Depends(_search)], response: Response, limit: Results = 10
) -> DataResponse[SearchData]:
    """Returns the best ``limit`` songs, albums and performers. Accents, letter case and a typo do not matter.

    A song matches if its title and performer have all words of ``q``. Equal texts come first, then those that begin
    with ``q``. What is only similar is found if nothing else is.
    """
    found = await service.search(q, limit)
    response.headers.update(search_headers())
    return DataResponse(data=SearchData.model_validate(found, from_attributes=True))
