from psycopg.errors import UniqueViolation

from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.playlist_songs.errors import AlreadyInPlaylist, NotInPlaylist, SongNotFound, SongsNotFound
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.models import Access
from openmusic_playlist.projections.directories import SongDirectory
from openmusic_playlist.projections.models import SongCopy


class PlaylistSongService:
    def __init__(self, database: Database, cache: Cache, songs: SongDirectory) -> None:
        self._database = database
        self._cache = cache
        self._songs = songs

    @repeatable
    async def add(self, playlist_id: str, song_id: str, user_id: str) -> None:
        access = await self._access(playlist_id, user_id)
        song = await self._songs.find(song_id)
        if song is None:
            raise SongNotFound
        access.require_member()
        try:
            await self._add_stored(playlist_id, [song], user_id)
        except SongsNotFound as error:
            raise SongNotFound from error

    @repeatable
    async def add_all(self, playlist_id: str, song_ids: list[str], user_id: str) -> None:
        """Adds the songs in this order, or none of them. Raises SongsNotFound and AlreadyInPlaylist."""
        (await self._access(playlist_id, user_id)).require_member()  # before the catalogue is asked for so many
        songs = await self._songs.find_all(song_ids)
        if len(songs) < len(song_ids):
            raise SongsNotFound(each for each in song_ids if each not in songs)
        await self._add_stored(playlist_id, list(songs.values()), user_id)

    async def delete(self, playlist_id: str, song_id: str, user_id: str) -> None:
        access = await self._access(playlist_id, user_id)
        known = await self._songs.known([song_id])
        if not known:
            raise SongNotFound
        access.require_member()
        try:
            await self._delete(playlist_id, [song_id], known, user_id)
        except SongsNotFound as error:
            raise NotInPlaylist from error

    async def delete_all(self, playlist_id: str, song_ids: list[str], user_id: str) -> None:
        """Deletes the songs, or none of them. Raises SongsNotFound."""
        (await self._access(playlist_id, user_id)).require_member()
        await self._delete(playlist_id, song_ids, await self._songs.known(song_ids), user_id)

    async def _access(self, playlist_id: str, user_id: str) -> Access:
        async with self._database.read() as connection:
            return await access_to(connection, playlist_id, user_id)

    async def _add_stored(self, playlist_id: str, songs: list[SongCopy], user_id: str) -> None:
        """Stores copies of the songs if they are missing or older. Raises SongsNotFound for those deleted since."""
        try:
            await self._add(playlist_id, songs, user_id)
        except SongsNotFound:
            await self._songs.store(songs)
            await self._add(playlist_id, songs, user_id)

    async def _add(self, playlist_id: str, songs: list[SongCopy], user_id: str) -> None:
        async with self._cache.autocommit(playlist_changed(playlist_id), result=Result(None)) as connection:
            try:
                result = await PlaylistSongRepository(connection).add(playlist_id, songs, user_id)
            except UniqueViolation as error:
                raise AlreadyInPlaylist from error
            result.require_member()
            result.require_all([song.id for song in songs])

    async def _delete(self, playlist_id: str, song_ids: list[str], known: list[str], user_id: str) -> None:
        async with self._cache.autocommit(playlist_changed(playlist_id)) as connection:
            songs = PlaylistSongRepository(connection)
            result = await songs.delete(playlist_id, known, user_id, number=len(song_ids))
            result.require_member()
            result.require_all(song_ids)
