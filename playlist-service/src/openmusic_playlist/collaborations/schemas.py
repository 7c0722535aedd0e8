from typing import Annotated

from pydantic import WithJsonSchema

from openmusic_kit.ids import id_schema
from openmusic_kit.web.schemas import OpaqueId, WireModel


class CollaborationPayload(WireModel):
    playlist_id: OpaqueId
    user_id: OpaqueId


class CollaborationId(WireModel):
    collaboration_id: Annotated[str, WithJsonSchema(id_schema("collab"))]


class Collaborator(WireModel):
    id: str
    username: str


class CollaboratorsData(WireModel):
    collaborators: list[Collaborator]
