from typing import Annotated

from fastapi import APIRouter, Depends, Request

from openmusic_kit.schemas import Created, Done
from openmusic_kit.web import CurrentUser, ProtectedRoute
from openmusic_playlist.collaborations.schemas import CollaborationId, CollaborationPayload
from openmusic_playlist.collaborations.service import CollaborationService


def _collaborations(request: Request) -> CollaborationService:
    service: CollaborationService = request.app.state.collaborations
    return service


Collaborations = Annotated[CollaborationService, Depends(_collaborations)]

router = APIRouter(prefix="/collaborations", tags=["collaborations"], route_class=ProtectedRoute)


@router.post("", status_code=201)
async def add_collaboration(
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations
) -> Created[CollaborationId]:
    collaboration_id = await collaborations.add(payload, user_id)
    return Created(message="Collaborator added", data=CollaborationId(collaboration_id=collaboration_id))


@router.delete("")
async def delete_collaboration(
    payload: CollaborationPayload, user_id: CurrentUser, collaborations: Collaborations
) -> Done:
    await collaborations.delete(payload, user_id)
    return Done(message="Collaborator removed")
