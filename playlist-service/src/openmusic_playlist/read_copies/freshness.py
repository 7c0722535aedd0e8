"""Makes a read see every change of a song that the catalogue acknowledged before the read began."""

import asyncio
import logging
from collections.abc import Mapping

from pydantic import ValidationError

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.pending_changes import PendingChange, PendingChanges
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.errors import Unavailable
from openmusic_playlist.read_copies.repository import SongCopyRepository
from openmusic_playlist.read_copies.schemas import SongChange
from openmusic_playlist.read_copies.song_lookup import SongLookup
from openmusic_playlist.read_copies.song_news import apply_changes

logger = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that a read waits for pending changes to be applied


class Freshness:
    def __init__(
        self, database: Database, cache: Cache, purges: PurgePublisher, pending: PendingChanges, songs: SongLookup
    ) -> None:
        self._database = database
        self._cache = cache
        self._purges = purges
        self._pending = pending
        self._songs = songs
        self._catching_up = asyncio.Lock()

    async def catch_up(self) -> str | None:
        """Applies what is pending, and tells in which incarnation of the pending changes that was.

        None when they are out of reach: then only the catalogue knows whether a copy is current. Raises Unavailable.
        """
        pending = await self._pending.look()
        if pending is None:
            return None
        if not pending.changes:
            return pending.incarnation
        try:
            async with asyncio.timeout(PATIENCE), self._catching_up:
                pending = await self._pending.look()  # whoever was before us may have applied it
                if pending is not None and pending.changes:
                    await self._apply_pending(pending.changes)
        except TimeoutError as error:
            raise Unavailable("Changes of songs take too long to arrive") from error
        return pending.incarnation if pending is not None else None

    async def incarnation(self) -> str | None:
        """That of the pending changes now, or None when they are out of reach."""
        pending = await self._pending.look()
        return pending.incarnation if pending is not None else None

    async def apply(self, changes: Mapping[str, SongChange]) -> None:
        """By song id. Raises Unavailable."""
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            await apply_changes(work, changes)
            await work.commit()
        for song_id, change in changes.items():
            await self._pending.settle(song_id, change.version)

    async def not_owned(self, song_ids: list[str]) -> set[str] | None:
        """Compares the copies of these songs with the catalogue; gives those that it does not have any more.

        Copies become newer, but none is buried: that is for an event, or for a rebuild, which is careful about it. None
        while the catalogue does not answer.
        """
        try:
            found = dict(zip(song_ids, await asyncio.gather(*map(self._songs.find, song_ids)), strict=True))
        except Unavailable:
            return None
        async with self._database.read() as connection:
            copies = await SongCopyRepository(connection).get_all(song_ids)
        news = {
            song_id: SongChange.of(song)
            for song_id, song in found.items()
            if song is not None and (song_id not in copies or song.version > copies[song_id]["version"])
        }
        if news:
            await self.apply(news)
        return {song_id for song_id, song in found.items() if song is None}

    async def _apply_pending(self, pending: Mapping[str, PendingChange]) -> None:
        changes = {}
        for song_id, change in pending.items():
            try:
                changes[song_id] = SongChange.model_validate_json(change.content)
            except ValidationError as error:  # its event will bring it
                logger.error("pending change makes no sense", extra={"song": song_id, "error": repr(error)})
                await self._pending.settle(song_id, change.version)
        await self.apply(changes)
