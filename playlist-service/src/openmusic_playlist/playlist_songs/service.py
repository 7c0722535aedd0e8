import json

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from openmusic_kit.cache import Cache, Cached
from openmusic_kit.database import Database
from openmusic_kit.ids import require_id
from openmusic_kit.schemas import Answer
from openmusic_playlist.cache_keys import songs_key
from openmusic_playlist.playlist_songs.errors import AlreadyInPlaylist, NotInPlaylist, SongNotFound
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository
from openmusic_playlist.playlist_songs.schemas import PlaylistData, PlaylistWithSongs
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound
from openmusic_playlist.playlists.service import PlaylistService
from openmusic_playlist.read_copies.owners import Owners
from openmusic_playlist.read_copies.schemas import SongAnswer


class PlaylistSongService:
    def __init__(
        self, database: Database, cache: Cache, owners: Owners, playlists: PlaylistService, cache_ttl: int
    ) -> None:
        self._database = database
        self._cache = cache
        self._owners = owners
        self._playlists = playlists
        self._cache_ttl = cache_ttl

    async def add(self, playlist_id: str, song_id: str, user_id: str) -> None:
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, user_id)
        song = await self._owners.find_song(song_id)
        if song is None:
            raise SongNotFound
        access.require_member()
        if not await self._add(playlist_id, song, user_id):
            await self._owners.keep_song(song)
            if not await self._add(playlist_id, song, user_id):
                raise SongNotFound  # it was deleted since we asked

    async def _add(self, playlist_id: str, song: SongAnswer, user_id: str) -> bool:
        """Whether our copy of the song was new enough."""
        async with self._cache.unit_of_work(songs_key(playlist_id), one_statement=True) as work:
            songs = PlaylistSongRepository(work.connection)
            try:
                added = await songs.add(playlist_id, song.id, user_id, least_version=song.version)
            except UniqueViolation as error:
                raise AlreadyInPlaylist from error
            except ForeignKeyViolation as error:
                raise PlaylistNotFound from error
            await work.commit()
        return added

    async def delete(self, playlist_id: str, song_id: str, user_id: str) -> None:
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, user_id)
        if not await self._owners.song_is_known(song_id):
            raise SongNotFound
        access.require_member()
        async with self._cache.unit_of_work(songs_key(playlist_id), one_statement=True) as work:
            if not await PlaylistSongRepository(work.connection).delete(playlist_id, song_id, user_id):
                raise NotInPlaylist
            await work.commit()

    async def get(self, playlist_id: str, user_id: str) -> Cached:
        """The answer as the bytes to send. Who may read it is kept with it, so that a hit asks no database."""
        require_id("playlist", playlist_id, PlaylistNotFound)
        cached = await self._cache.read(songs_key(playlist_id), lambda: self._load(playlist_id), self._cache_ttl)
        members, _, answer = cached.value.partition(b"\n")
        if user_id not in json.loads(members):
            raise NotYourPlaylist
        return Cached(answer, cached.hit)

    async def _load(self, playlist_id: str) -> bytes:
        """A line of JSON with the ids of those who may read it, then the answer."""
        row = await self._playlists.get_with_songs(playlist_id)
        members = json.dumps(row["members"]).encode()
        playlist = PlaylistWithSongs.model_validate(row)
        answer = Answer(data=PlaylistData(playlist=playlist)).model_dump_json(by_alias=True).encode()
        return members + b"\n" + answer
