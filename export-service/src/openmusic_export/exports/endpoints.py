from typing import Annotated

from fastapi import APIRouter, Depends, Request

from openmusic_export.exports.errors import OwnerOnly, PlaylistNotFound
from openmusic_export.exports.schemas import ExportPayload
from openmusic_export.exports.service import ExportService
from openmusic_kit.web.app import CurrentUser, ProtectedRoute
from openmusic_kit.web.openapi import error_responses
from openmusic_kit.web.schemas import MessageResponse

ACCEPTED = "Permintaan Anda sedang kami proses"  # existing clients compare this text


async def _exports(request: Request) -> ExportService:
    service: ExportService = request.app.state.exports
    return service


router = APIRouter(prefix="/export", tags=["exports"], route_class=ProtectedRoute)


@router.post("/playlists/{playlist_id}", status_code=201, responses=error_responses(PlaylistNotFound, OwnerOnly))
async def export_playlist(
    playlist_id: str,
    payload: ExportPayload,
    user_id: CurrentUser,
    exports: Annotated[ExportService, Depends(_exports)],
) -> MessageResponse:
    await exports.request(playlist_id, payload.target_email, user_id)
    return MessageResponse(message=ACCEPTED)
