"""Tells services that copy songs about a change before its client gets an answer.

The event arrives later. Until then the change is pending in Redis, where readers of copies look first. When Redis does
not answer, the playlist service is called instead.
"""

import asyncio
import logging

from openmusic_catalog.songs.repository import SongFields
from openmusic_catalog.songs.schemas import SongChange
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import TIMEOUT, ServiceClient

logger = logging.getLogger(__name__)


class SongChangeNotifier:
    def __init__(self, pending: PendingChanges, playlist: ServiceClient) -> None:
        self._pending = pending
        self._playlist = playlist

    async def notify(self, song_id: str, version: int, song: SongFields | None) -> None:
        """Call this after the commit and before the answer. When both ways fail, the event brings the change later."""
        change = SongChange.model_validate({"version": version, "song": song}, from_attributes=True)
        if await self._pending.mark(song_id, version, change.model_dump_json(by_alias=True).encode()):
            return
        try:
            async with asyncio.timeout(TIMEOUT):
                content = change.model_dump(mode="json", by_alias=True)
                await self._playlist.put(f"/internal/read-copies/songs/{song_id}", content)
        except (Unavailable, TimeoutError) as error:
            logger.warning("playlists will show a change late", extra={"song": song_id, "error": repr(error)})
