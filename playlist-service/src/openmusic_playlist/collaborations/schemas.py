from typing import Annotated

from pydantic import WithJsonSchema

from openmusic_kit.ids import id_schema
from openmusic_kit.schemas import AnyId, WireModel


class CollaborationPayload(WireModel):
    playlist_id: AnyId
    user_id: AnyId


class CollaborationId(WireModel):
    collaboration_id: Annotated[str, WithJsonSchema(id_schema("collab"))]
