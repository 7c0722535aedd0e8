"""Lets those who keep copies of songs know of a change before its client does.

The event comes later. Until then the change is pending, in Redis, where every reader of copies looks first. Where that
cannot be written, the playlist service is told directly.
"""

import asyncio
import logging

from openmusic_catalog.songs.schemas import SongChange
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import TIMEOUT, ServiceClient

logger = logging.getLogger(__name__)


class SongCopyHolders:
    def __init__(self, pending: PendingChanges, playlist: ServiceClient) -> None:
        self._pending = pending
        self._playlist = playlist

    async def tell(self, song_id: str, change: SongChange) -> None:
        """To be called after the commit and before the answer. When both ways fail, the event brings it later."""
        content = change.model_dump(mode="json", by_alias=True)
        if await self._pending.mark(song_id, change.version, change.model_dump_json(by_alias=True).encode()):
            return
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._playlist.put(f"/internal/read-copies/songs/{song_id}", content)
        except (Unavailable, TimeoutError) as error:
            logger.warning("a change will show late in playlists", extra={"song": song_id, "error": repr(error)})
