from typing import Annotated

from fastapi import APIRouter, Depends, Request

from openmusic_kit.web.openapi import error_responses
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute
from openmusic_kit.web.schemas import CreatedResponse, MessageResponse
from openmusic_playlist.collaborations.errors import (
    AlreadyCollaborating,
    CollaboratingWithOneself,
    CollaborationNotFound,
    UserNotFound,
)
from openmusic_playlist.collaborations.schemas import CollaborationId, CollaborationPayload
from openmusic_playlist.collaborations.service import CollaborationService
from openmusic_playlist.playlists.errors import OwnerOnly, PlaylistNotFound


async def _collaborations(request: Request) -> CollaborationService:
    service: CollaborationService = request.app.state.collaborations
    return service


Collaborations = Annotated[CollaborationService, Depends(_collaborations)]

router = APIRouter(prefix="/collaborations", tags=["collaborations"], route_class=ProtectedRoute)


@router.post(
    "",
    status_code=201,
    responses=error_responses(
        PlaylistNotFound, UserNotFound, OwnerOnly, AlreadyCollaborating, CollaboratingWithOneself
    ),
)
async def add_collaboration(
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations
) -> CreatedResponse[CollaborationId]:
    collaboration_id = await collaborations.add(payload.playlist_id, payload.user_id, user_id)
    return CreatedResponse(message="Collaborator added", data=CollaborationId(collaboration_id=collaboration_id))


@router.delete("", responses=error_responses(PlaylistNotFound, UserNotFound, CollaborationNotFound, OwnerOnly))
async def delete_collaboration(
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations
) -> MessageResponse:
    await collaborations.delete(payload.playlist_id, payload.user_id, user_id)
    return MessageResponse(message="Collaborator removed")
