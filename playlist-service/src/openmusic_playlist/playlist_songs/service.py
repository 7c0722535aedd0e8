import json
from dataclasses import dataclass
from typing import Self

from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow

from openmusic_kit.cache.cache import Cache, Cached
from openmusic_kit.database.database import Database
from openmusic_kit.ids import require_id
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.invalidation import playlist_changed, songs_key
from openmusic_playlist.playlist_songs.errors import AlreadyInPlaylist, NotInPlaylist, SongNotFound
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository
from openmusic_playlist.playlist_songs.schemas import PlaylistData, PlaylistWithSongs
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound
from openmusic_playlist.playlists.service import PlaylistService
from openmusic_playlist.read_copies.freshness import Freshness
from openmusic_playlist.read_copies.owners import Owners
from openmusic_playlist.read_copies.schemas import SongAnswer


@dataclass(frozen=True)
class Songs:
    """``answer`` is the bytes to send."""

    answer: Cached
    song_ids: list[str]


@dataclass(frozen=True)
class _Kept:
    """What the cache holds: a line of JSON, then the answer.

    The line is a list of the members, with an object of all else at its end. Versions before this one knew only the
    members, and understand it; what they have kept is not used.
    """

    incarnation: str | None
    members: list[str]
    song_ids: list[str]
    answer: bytes

    def joined(self) -> bytes:
        head = [*self.members, {"incarnation": self.incarnation, "songs": self.song_ids}]
        return json.dumps(head).encode() + b"\n" + self.answer

    @classmethod
    def parsed(cls, value: bytes) -> Self:
        head, _, answer = value.partition(b"\n")
        *members, last = json.loads(head)
        if not isinstance(last, dict):
            return cls(None, [*members, last], [], answer)
        return cls(last["incarnation"], members, last["songs"], answer)


class PlaylistSongService:
    def __init__(
        self,
        database: Database,
        cache: Cache,
        owners: Owners,
        freshness: Freshness,
        playlists: PlaylistService,
        cache_ttl: int,
    ) -> None:
        self._database = database
        self._cache = cache
        self._owners = owners
        self._freshness = freshness
        self._playlists = playlists
        self._cache_ttl = cache_ttl

    async def add(self, playlist_id: str, song_id: str, user_id: str) -> None:
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, user_id)
        song = await self._owners.find_song(song_id)
        if song is None:
            raise SongNotFound
        access.require_member()
        try:
            await self._add(playlist_id, song, user_id)
        except SongNotFound:
            await self._owners.keep_song(song)
            await self._add(playlist_id, song, user_id)  # not found again if it was deleted meanwhile

    async def _add(self, playlist_id: str, song: SongAnswer, user_id: str) -> None:
        """Raises SongNotFound if our copy of the song is older than ``song``, or missing."""
        async with self._cache.autocommit(playlist_changed(playlist_id)) as connection:
            songs = PlaylistSongRepository(connection)
            try:
                found = await songs.add(playlist_id, song.id, user_id, least_version=song.version)
            except UniqueViolation as error:
                raise AlreadyInPlaylist from error
            _require_member(found)
            if not found["changed"]:
                raise SongNotFound

    async def delete(self, playlist_id: str, song_id: str, user_id: str) -> None:
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, user_id)
        if not await self._owners.song_is_known(song_id):
            raise SongNotFound
        access.require_member()
        async with self._cache.autocommit(playlist_changed(playlist_id)) as connection:
            found = await PlaylistSongRepository(connection).delete(playlist_id, song_id, user_id)
            _require_member(found)
            if not found["song"]:
                raise SongNotFound
            if not found["changed"]:
                raise NotInPlaylist

    async def get(self, playlist_id: str, user_id: str) -> Songs:
        """Who may read it is kept with the answer, so that a hit asks no database."""
        require_id("playlist", playlist_id, PlaylistNotFound)
        incarnation = await self._freshness.catch_up()  # before anything else is read
        cached = await self._cache.read(
            songs_key(playlist_id), lambda: self._load(playlist_id, incarnation), self._cache_ttl
        )
        kept = _Kept.parsed(cached.value)
        if kept.incarnation != incarnation or (cached.hit and incarnation is None):
            cached = Cached(await self._load_instead(playlist_id, incarnation), hit=False)
            kept = _Kept.parsed(cached.value)
        if user_id not in kept.members:
            raise NotYourPlaylist
        return Songs(Cached(kept.answer, cached.hit), kept.song_ids)

    async def _load_instead(self, playlist_id: str, incarnation: str | None) -> bytes:
        """Of what is in the cache although pending changes were lost since, or cannot be looked at."""
        if incarnation is not None:
            async with self._cache.unit_of_work(playlist_changed(playlist_id)):
                pass
        return await self._load(playlist_id, incarnation)

    async def _load(self, playlist_id: str, incarnation: str | None) -> bytes:
        row = await self._playlists.load(playlist_id, incarnation)
        playlist = PlaylistWithSongs.model_validate(row)
        answer = DataResponse(data=PlaylistData(playlist=playlist)).model_dump_json(by_alias=True).encode()
        return _Kept(incarnation, row["members"], [song.id for song in playlist.songs], answer).joined()


def _require_member(found: DictRow) -> None:
    """Raises PlaylistNotFound or NotYourPlaylist: what was true before may have changed meanwhile."""
    if not found["playlist"]:
        raise PlaylistNotFound
    if not found["member"]:
        raise NotYourPlaylist
