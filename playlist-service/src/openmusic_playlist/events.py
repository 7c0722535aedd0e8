"""The events that this service publishes."""

from typing import ClassVar

from openmusic_kit.messaging.events import EventData, NonEmptyText
from openmusic_kit.web.schemas import ShortText


class PlaylistCoverUnused(EventData):
    """``path`` is the public path of a cover that was replaced or removed, or whose playlist was deleted."""

    event_type: ClassVar[str] = "playlist.cover_unused"
    event_version: ClassVar[int] = 1
    playlist_id: ShortText
    path: NonEmptyText
