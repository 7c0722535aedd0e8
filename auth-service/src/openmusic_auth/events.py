"""What this service announces."""

from typing import ClassVar

from openmusic_kit.messaging.events import EventData


class UserRegistered(EventData):
    event_type: ClassVar[str] = "user.registered"
    event_version: ClassVar[int] = 1
    user_id: str
    username: str
