"""Deletes the likes of users who are deleted. That is idempotent, so no inbox is needed."""

from typing import ClassVar

from openmusic_catalog.likes.service import LikeService
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.subscription import Subscription
from openmusic_kit.web.schemas import ShortText


class UserDeleted(EventData):
    event_type: ClassVar[str] = "user.deleted"
    event_version: ClassVar[int] = 1
    user_id: ShortText


async def delete_likes(likes: LikeService, event: UserDeleted, _: Envelope) -> None:
    await likes.delete_all(event.user_id)


SUBSCRIPTION = Subscription[LikeService]("catalog.users", {UserDeleted: delete_likes})
