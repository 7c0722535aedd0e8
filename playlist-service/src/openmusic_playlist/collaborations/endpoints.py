from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_kit import edge
from openmusic_kit.web.app import CurrentUser, ProtectedRoute
from openmusic_kit.web.openapi import error_responses
from openmusic_kit.web.schemas import CreatedResponse, MessageResponse
from openmusic_playlist.collaborations.errors import (
    AlreadyCollaborating,
    CollaboratingWithOneself,
    CollaborationNotFound,
    UserNotFound,
)
from openmusic_playlist.collaborations.schemas import CollaborationId, CollaborationPayload
from openmusic_playlist.collaborations.service import CollaborationService
from openmusic_playlist.edge_tags import playlist_tag, playlists_tag
from openmusic_playlist.playlists.errors import OwnerOnly, PlaylistNotFound


async def _collaborations(request: Request) -> CollaborationService:
    service: CollaborationService = request.app.state.collaborations
    return service


def _purging(payload: CollaborationPayload) -> dict[str, str]:
    return edge.purging(playlist_tag(payload.playlist_id), playlists_tag(payload.user_id))


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
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations, response: Response
) -> CreatedResponse[CollaborationId]:
    collaboration_id = await collaborations.add(payload, user_id)
    response.headers.update(_purging(payload))
    return CreatedResponse(message="Collaborator added", data=CollaborationId(collaboration_id=collaboration_id))


@router.delete("", responses=error_responses(PlaylistNotFound, UserNotFound, CollaborationNotFound, OwnerOnly))
async def delete_collaboration(
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations, response: Response
) -> MessageResponse:
    await collaborations.delete(payload, user_id)
    response.headers.update(_purging(payload))
    return MessageResponse(message="Collaborator removed")
