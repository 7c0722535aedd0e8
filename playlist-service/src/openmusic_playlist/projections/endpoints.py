from typing import Annotated

from fastapi import APIRouter, Depends, Request

from openmusic_kit.web.routes import InternalRoute
from openmusic_kit.web.schemas import MessageResponse
from openmusic_playlist.projections.freshness import Freshness
from openmusic_playlist.projections.schemas import SongChange


async def _freshness(request: Request) -> Freshness:
    freshness: Freshness = request.app.state.freshness
    return freshness


internal_router = APIRouter(prefix="/internal/read-copies", route_class=InternalRoute, include_in_schema=False)


@internal_router.put("/songs/{song_id}")
async def apply_song_change(
    song_id: str, change: SongChange, freshness: Annotated[Freshness, Depends(_freshness)]
) -> MessageResponse:
    """Takes a change that the catalogue could not mark as pending."""
    await freshness.apply([change.as_copy(song_id)])
    return MessageResponse(message="Change applied")
