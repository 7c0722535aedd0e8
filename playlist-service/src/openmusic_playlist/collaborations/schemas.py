from openmusic_kit.schemas import AnyId, WireModel


class CollaborationPayload(WireModel):
    playlist_id: AnyId
    user_id: AnyId


class CollaborationId(WireModel):
    collaboration_id: str
