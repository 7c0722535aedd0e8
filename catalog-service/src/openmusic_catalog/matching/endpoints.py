from typing import Annotated

from fastapi import APIRouter, Depends, Request

from openmusic_catalog.matching.repository import Wanted
from openmusic_catalog.matching.schemas import MatchedSongs, WantedSongs
from openmusic_catalog.matching.service import MatchingService
from openmusic_kit.web.routes import InternalRoute
from openmusic_kit.web.schemas import DataResponse


async def _matching(request: Request) -> MatchingService:
    service: MatchingService = request.app.state.matching
    return service


internal_router = APIRouter(prefix="/internal/songs/matches", route_class=InternalRoute, include_in_schema=False)


@internal_router.post("")
async def match_songs(
    payload: WantedSongs, matching: Annotated[MatchingService, Depends(_matching)]
) -> DataResponse[MatchedSongs]:
    """A question with a body: texts are too long for a query."""
    found = await matching.find([Wanted(song.title, song.performer) for song in payload.songs])
    return DataResponse(data=MatchedSongs.model_validate({"songs": found}, from_attributes=True))
