"""Deletes covers that are no longer used, as the catalogue tells us. Deleting twice does no harm."""

from openmusic_kit.ids import is_id
from openmusic_kit.messaging.consumer import Subscription, UnprocessableMessage
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.topology import Queue
from openmusic_kit.web.schemas import WireModel
from openmusic_media.covers.errors import CoverNotFound
from openmusic_media.covers.service import CoverService

QUEUE = Queue("media.covers", ("album.deleted.v1", "album.cover_replaced.v1"))


class AlbumDeleted(WireModel):
    album_id: str


class CoverReplaced(WireModel):
    album_id: str
    path: str


def subscription(covers: CoverService) -> Subscription:
    async def apply(event: Envelope) -> None:
        match (event.type, event.version):
            case ("album.deleted", 1):
                await _forget_album(covers, AlbumDeleted.model_validate(event.data))
            case ("album.cover_replaced", 1):
                await _forget_cover(covers, CoverReplaced.model_validate(event.data))
            case _:
                raise UnprocessableMessage(f"unknown event {event.type} v{event.version}")

    return Subscription(QUEUE, apply)


async def _forget_album(covers: CoverService, event: AlbumDeleted) -> None:
    if not is_id("album", event.album_id):
        raise UnprocessableMessage("not the id of an album")
    await covers.forget_album(event.album_id)


async def _forget_cover(covers: CoverService, event: CoverReplaced) -> None:
    try:
        await covers.forget(event.album_id, event.path)
    except CoverNotFound as error:
        raise UnprocessableMessage("not a cover of that album") from error
