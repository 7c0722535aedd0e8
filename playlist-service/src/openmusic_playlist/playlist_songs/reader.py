from collections.abc import Callable
from dataclasses import dataclass

from openmusic_kit.cache.cache import Cache, Cached
from openmusic_kit.database.database import Database
from openmusic_kit.ids import require_id
from openmusic_playlist.invalidation import playlist_changed, songs_key
from openmusic_playlist.playlist_songs.cache_entry import CacheEntry
from openmusic_playlist.playlist_songs.models import StoredPlaylist
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound
from openmusic_playlist.projections.freshness import Freshness

Encode = Callable[[StoredPlaylist], bytes]
"""Makes the document that is cached and sent to clients."""


@dataclass(frozen=True, slots=True)
class PlaylistDocument:
    document: Cached
    song_ids: list[str]


class PlaylistReader:
    """Reads playlists with their songs, in which every change that the catalogue acknowledged before is visible."""

    def __init__(self, database: Database, cache: Cache, freshness: Freshness, cache_ttl: int) -> None:
        self._database = database
        self._cache = cache
        self._freshness = freshness
        self._cache_ttl = cache_ttl

    async def read(self, playlist_id: str) -> StoredPlaylist:
        require_id("playlist", playlist_id, PlaylistNotFound)
        return await self._load(playlist_id, await self._freshness.catch_up())

    async def read_document(self, playlist_id: str, user_id: str, encode: Encode) -> PlaylistDocument:
        """The members are cached with the document, so that a hit needs no database."""
        require_id("playlist", playlist_id, PlaylistNotFound)
        incarnation = await self._freshness.catch_up()  # before the cache and the database are read

        async def load() -> bytes:
            playlist = await self._load(playlist_id, incarnation)
            return CacheEntry(
                incarnation, playlist.public, playlist.members, playlist.song_ids, encode(playlist)
            ).encode()

        cached = await self._cache.read(songs_key(playlist_id), load, self._cache_ttl)
        entry = CacheEntry.decode(cached.value)
        if entry.incarnation != incarnation or (cached.hit and incarnation is None):
            if incarnation is not None:
                await self._drop(playlist_id)
            cached = Cached(await load(), hit=False)
            entry = CacheEntry.decode(cached.value)
        if not entry.public and user_id not in entry.members:
            raise NotYourPlaylist
        return PlaylistDocument(Cached(entry.document, cached.hit), entry.song_ids)

    async def _drop(self, playlist_id: str) -> None:
        """Removes an entry of another incarnation from the cache: pending changes were lost since it was made."""
        async with self._cache.unit_of_work(playlist_changed(playlist_id)):
            pass

    async def _load(self, playlist_id: str, incarnation: str | None) -> StoredPlaylist:
        """Compares its songs with the catalogue unless that was done in this incarnation of the pending changes."""
        playlist = await self._get(playlist_id)
        if incarnation is not None and playlist.compared_in == incarnation:
            return playlist
        missing = await self._freshness.compare_with_catalogue(playlist.song_ids)
        if missing is not None and not missing and incarnation is not None:
            async with self._database.read() as connection:
                await PlaylistSongRepository(connection).set_compared(playlist_id, incarnation)
        return await self._get(playlist_id, without=missing)

    async def _get(self, playlist_id: str, without: set[str] | None = None) -> StoredPlaylist:
        async with self._database.read() as connection:
            playlist = await PlaylistSongRepository(connection).get(playlist_id, without=list(without or ()))
        if playlist is None:
            raise PlaylistNotFound
        return playlist
