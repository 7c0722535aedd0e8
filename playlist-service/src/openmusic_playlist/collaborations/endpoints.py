from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_kit.web.openapi import LOCATED, REPEATABLE, error_responses
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, MessageResponse
from openmusic_playlist.collaborations.errors import (
    AlreadyCollaborating,
    CollaboratingWithOneself,
    CollaborationNotFound,
    OwnerCannotLeave,
    UserNotFound,
)
from openmusic_playlist.collaborations.schemas import (
    CollaborationId,
    CollaborationPayload,
    Collaborator,
    CollaboratorsData,
)
from openmusic_playlist.collaborations.service import CollaborationService
from openmusic_playlist.playlists.errors import NotYourPlaylist, OwnerOnly, PlaylistNotFound


async def _collaborations(request: Request) -> CollaborationService:
    service: CollaborationService = request.app.state.collaborations
    return service


Collaborations = Annotated[CollaborationService, Depends(_collaborations)]

router = APIRouter(prefix="/collaborations", tags=["collaborations"], route_class=ProtectedRoute)
playlist_router = APIRouter(
    prefix="/playlists/{playlist_id}/collaborators", tags=["collaborations"], route_class=ProtectedRoute
)


@router.post(
    "",
    status_code=201,
    responses={
        **error_responses(PlaylistNotFound, UserNotFound, OwnerOnly, AlreadyCollaborating, CollaboratingWithOneself),
        **LOCATED,
    },
    openapi_extra=REPEATABLE,
)
async def add_collaboration(
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations, response: Response
) -> CreatedResponse[CollaborationId]:
    collaboration_id = await collaborations.add(payload.playlist_id, payload.user_id, user_id)
    response.headers["Location"] = f"/playlists/{payload.playlist_id}/collaborators"
    return CreatedResponse(message="Collaborator added", data=CollaborationId(collaboration_id=collaboration_id))


@router.delete("", responses=error_responses(PlaylistNotFound, UserNotFound, CollaborationNotFound, OwnerOnly))
async def delete_collaboration(
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations
) -> MessageResponse:
    await collaborations.delete(payload.playlist_id, payload.user_id, user_id)
    return MessageResponse(message="Collaborator removed")


@playlist_router.get("", responses=error_responses(PlaylistNotFound, NotYourPlaylist))
async def list_collaborators(
    playlist_id: str, user_id: CurrentUser, collaborations: Collaborations
) -> DataResponse[CollaboratorsData]:
    """The owner is not among them."""
    found = await collaborations.list(playlist_id, user_id)
    shown = [Collaborator.model_validate(each, from_attributes=True) for each in found]
    return DataResponse(data=CollaboratorsData(collaborators=shown))


@playlist_router.delete("/me", responses=error_responses(PlaylistNotFound, NotYourPlaylist, OwnerCannotLeave))
async def leave_playlist(playlist_id: str, user_id: CurrentUser, collaborations: Collaborations) -> MessageResponse:
    await collaborations.leave(playlist_id, user_id)
    return MessageResponse(message="You left the playlist")
