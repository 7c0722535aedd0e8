"""The events that this service publishes."""

from typing import ClassVar

from openmusic_kit.messaging.events import EventData, NonEmptyText
from openmusic_kit.web.schemas import ShortText


class UserRegistered(EventData):
    event_type: ClassVar[str] = "user.registered"
    event_version: ClassVar[int] = 1
    user_id: ShortText
    username: NonEmptyText


class UserRenamed(EventData):
    event_type: ClassVar[str] = "user.renamed"
    event_version: ClassVar[int] = 1
    user_id: ShortText
    username: NonEmptyText


class UserDeleted(EventData):
    """Whoever keeps data of the user deletes it, and never stores any again."""

    event_type: ClassVar[str] = "user.deleted"
    event_version: ClassVar[int] = 1
    user_id: ShortText
