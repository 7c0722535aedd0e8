"""Makes a read see every change of a song that the catalogue acknowledged before the read began."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.pending_changes import PendingChange, PendingChanges
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.errors import Unavailable
from openmusic_playlist.projections.models import SongCopy
from openmusic_playlist.projections.repository import SongCopyRepository
from openmusic_playlist.projections.schemas import SongChange
from openmusic_playlist.projections.song_lookup import SongLookup
from openmusic_playlist.projections.song_projection import upsert_songs

logger = logging.getLogger(__name__)

CATCH_UP_TIMEOUT = 5.0  # seconds that a read waits for pending changes to be applied


class Freshness:
    def __init__(
        self, database: Database, cache: Cache, purges: PurgePublisher, pending: PendingChanges, lookup: SongLookup
    ) -> None:
        self._database = database
        self._cache = cache
        self._purges = purges
        self._pending = pending
        self._lookup = lookup
        self._catching_up = asyncio.Lock()

    async def catch_up(self) -> str | None:
        """Applies all pending changes and returns their incarnation.

        None means that they are unreachable: then only the catalogue knows whether a copy is current. Raises
        Unavailable.
        """
        pending = await self._pending.look()
        if pending is None:
            return None
        if not pending.changes:
            return pending.incarnation
        try:
            async with asyncio.timeout(CATCH_UP_TIMEOUT), self._catching_up:
                pending = await self._pending.look()  # the previous holder of the lock may have applied them
                if pending is not None and pending.changes:
                    await self._apply_pending(pending.changes)
        except TimeoutError as error:
            raise Unavailable("Changes of songs take too long to arrive") from error
        return pending.incarnation if pending is not None else None

    async def recent_incarnation(self) -> str | None:
        """The incarnation of the pending changes, perhaps of some time ago. None when it was never known."""
        if self._pending.last_incarnation is None:
            await self._pending.look()
        return self._pending.last_incarnation

    async def apply(self, songs: Iterable[SongCopy]) -> None:
        """Updates the copies and settles the changes. Raises Unavailable."""
        songs = list(songs)
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            await upsert_songs(work, songs)
            await work.commit()
        await self._pending.settle_all([(song.id, song.version) for song in songs])

    async def compare_with_catalogue(self, song_ids: list[str]) -> set[str] | None:
        """Updates the copies of these songs, and returns the ids that the catalogue does not have.

        It deletes no copy: an event or a careful reconciliation does. None means that the catalogue did not answer.
        """
        try:
            found = await self._lookup.find_all(song_ids)
        except Unavailable:
            return None
        async with self._database.read() as connection:
            copies = await SongCopyRepository(connection).get_all(song_ids)
        newer = [song for song in found.values() if song.id not in copies or song.version > copies[song.id].version]
        if newer:
            await self.apply(newer)
        return {song_id for song_id in song_ids if song_id not in found}

    async def _apply_pending(self, pending: Mapping[str, PendingChange]) -> None:
        songs = []
        for song_id, change in pending.items():
            try:
                songs.append(SongChange.model_validate_json(change.content).as_copy(song_id))
            except ValidationError as error:  # its event will bring the change
                logger.error("pending change invalid", extra={"song": song_id, "error": repr(error)})
                await self._pending.settle(song_id, change.version)
        await self.apply(songs)
