from typing import Annotated

from fastapi import APIRouter, Depends, Request

from openmusic_kit.web.app import InternalRoute
from openmusic_kit.web.schemas import MessageResponse
from openmusic_playlist.read_copies.freshness import Freshness
from openmusic_playlist.read_copies.schemas import SongChange


async def _freshness(request: Request) -> Freshness:
    freshness: Freshness = request.app.state.freshness
    return freshness


internal_router = APIRouter(prefix="/internal/read-copies", route_class=InternalRoute, include_in_schema=False)


@internal_router.put("/songs/{song_id}")
async def apply_song_change(
    song_id: str, change: SongChange, freshness: Annotated[Freshness, Depends(_freshness)]
) -> MessageResponse:
    """For a change that could not be marked as pending."""
    await freshness.apply({song_id: change})
    return MessageResponse(message="Change applied")
