from psycopg.errors import UniqueViolation

from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.playlist_songs.errors import AlreadyInPlaylist, NotInPlaylist, SongNotFound
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.projections.directories import SongDirectory
from openmusic_playlist.projections.models import SongCopy


class PlaylistSongService:
    def __init__(self, database: Database, cache: Cache, songs: SongDirectory) -> None:
        self._database = database
        self._cache = cache
        self._songs = songs

    @repeatable
    async def add(self, playlist_id: str, song_id: str, user_id: str) -> None:
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, user_id)
        song = await self._songs.find(song_id)
        if song is None:
            raise SongNotFound
        access.require_member()
        try:
            await self._add(playlist_id, song, user_id)
        except SongNotFound:
            await self._songs.store(song)
            await self._add(playlist_id, song, user_id)  # fails again if the song was deleted since

    async def _add(self, playlist_id: str, song: SongCopy, user_id: str) -> None:
        """Raises SongNotFound if the copy of the song is missing or older than ``song``."""
        async with self._cache.autocommit(playlist_changed(playlist_id), result=Result(None)) as connection:
            songs = PlaylistSongRepository(connection)
            try:
                result = await songs.add(playlist_id, song.id, user_id, least_version=song.version)
            except UniqueViolation as error:
                raise AlreadyInPlaylist from error
            result.require_member()
            if not result.changed:
                raise SongNotFound

    async def delete(self, playlist_id: str, song_id: str, user_id: str) -> None:
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, user_id)
        if not await self._songs.is_known(song_id):
            raise SongNotFound
        access.require_member()
        async with self._cache.autocommit(playlist_changed(playlist_id)) as connection:
            result = await PlaylistSongRepository(connection).delete(playlist_id, song_id, user_id)
            result.require_member()
            if not result.song:
                raise SongNotFound
            if not result.changed:
                raise NotInPlaylist
