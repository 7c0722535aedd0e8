from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request

from openmusic_kit.web.conditions import RequestCondition
from openmusic_kit.web.openapi import CONDITIONAL, error_responses
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute
from openmusic_kit.web.schemas import MessageResponse
from openmusic_playlist.playlist_songs.document import encode_for_client
from openmusic_playlist.playlist_songs.errors import NotInPlaylist
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound
from openmusic_playlist.song_order.errors import MovedAfterItself, OrderIncomplete, OrderOutdated
from openmusic_playlist.song_order.schemas import Move, WholeOrder
from openmusic_playlist.song_order.service import SongOrderService


async def _orders(request: Request) -> SongOrderService:
    service: SongOrderService = request.app.state.song_order
    return service


router = APIRouter(prefix="/playlists/{playlist_id}/songs/order", tags=["playlists"], route_class=ProtectedRoute)


@router.put(
    "",
    responses=error_responses(
        PlaylistNotFound, NotInPlaylist, NotYourPlaylist, OrderIncomplete, OrderOutdated, MovedAfterItself
    ),
    openapi_extra=CONDITIONAL,
)
async def reorder_playlist_songs(
    playlist_id: str,
    payload: Annotated[WholeOrder | Move, Body()],
    condition: RequestCondition,
    user_id: CurrentUser,
    orders: Annotated[SongOrderService, Depends(_orders)],
) -> MessageResponse:
    """Moves one song, or puts all in order. Moves that are made at the same time are carried out one after the other.

    With the ``revision`` of ``GET /playlists/{id}``, a whole order is refused if anything changed after it.
    ``If-Match`` takes the entity tag of ``GET /playlists/{id}/songs``.
    """
    check = condition.on(encode_for_client)
    if isinstance(payload, Move):
        await orders.move(playlist_id, user_id, payload.song_id, payload.after, check)
    else:
        await orders.replace(playlist_id, user_id, payload.song_ids, payload.revision, check)
    return MessageResponse(message="Songs put in order")
