from collections.abc import Callable

from openmusic_kit.cache.cache import Cache
from openmusic_kit.checks import Check
from openmusic_kit.database.database import Database
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.playlist_songs.errors import NotInPlaylist
from openmusic_playlist.playlist_songs.models import StoredPlaylist
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.repository import PlaylistRepository
from openmusic_playlist.projections.freshness import Freshness
from openmusic_playlist.song_order.errors import MovedAfterItself, OrderIncomplete, OrderOutdated
from openmusic_playlist.song_order.repository import SongOrderRepository

Arrange = Callable[[list[str]], list[str]]
"""Takes the ids of the songs in their present order, and returns them in the new one."""
SongsCheck = Check[StoredPlaylist]


class SongOrderService:
    """Reads the present order under the lock of the playlist, so changes made at the same time follow one another."""

    def __init__(self, database: Database, cache: Cache, freshness: Freshness) -> None:
        self._database = database
        self._cache = cache
        self._freshness = freshness

    async def replace(
        self, playlist_id: str, user_id: str, song_ids: list[str], revision: int | None, check: SongsCheck | None
    ) -> None:
        """Raises OrderOutdated unless the playlist has that revision, and OrderIncomplete unless those are its songs.

        ``revision`` None stands for any. Also raises what ``check`` raises.
        """

        def replaced(present: list[str]) -> list[str]:
            if sorted(song_ids) != sorted(present):
                raise OrderIncomplete
            return song_ids

        await self._reorder(playlist_id, user_id, replaced, check, revision)

    async def move(
        self, playlist_id: str, user_id: str, song_id: str, after: str | None, check: SongsCheck | None
    ) -> None:
        """Puts the song after another, or first. Raises NotInPlaylist for either, and what ``check`` raises."""
        if song_id == after:
            raise MovedAfterItself

        def moved(present: list[str]) -> list[str]:
            if song_id not in present or (after is not None and after not in present):
                raise NotInPlaylist
            others = [each for each in present if each != song_id]
            place = 0 if after is None else others.index(after) + 1
            return [*others[:place], song_id, *others[place:]]

        await self._reorder(playlist_id, user_id, moved, check)

    async def _reorder(
        self, playlist_id: str, user_id: str, arrange: Arrange, check: SongsCheck | None, revision: int | None = None
    ) -> None:
        """Raises PlaylistNotFound, NotYourPlaylist and OrderOutdated, and what ``check`` and ``arrange`` raise."""
        async with self._database.read() as connection:
            (await access_to(connection, playlist_id, user_id)).require_member()
        await self._freshness.catch_up()  # a song that was deleted is in it no longer
        async with self._cache.unit_of_work(playlist_changed(playlist_id)) as work:
            songs = PlaylistSongRepository(work.connection)
            (await songs.lock(playlist_id, user_id)).require_member()
            if check is not None and (playlist := await songs.get(playlist_id, without=[])):
                check(playlist)
            if revision is not None:
                details = await PlaylistRepository(work.connection).details(playlist_id)
                if details is None or details.revision != revision:
                    raise OrderOutdated
            orders = SongOrderRepository(work.connection)
            present = await orders.get(playlist_id)
            arranged = arrange(present)
            if arranged != present:
                await orders.store(playlist_id, user_id, arranged)
                await work.commit()
