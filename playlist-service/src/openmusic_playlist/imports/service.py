import asyncio
from collections.abc import Sequence
from functools import partial

from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unauthenticated
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.ids import new_id
from openmusic_playlist.imports.formats.reading import read_file
from openmusic_playlist.imports.matching import SongMatching
from openmusic_playlist.imports.models import FileRow, ImportReport, MissingRow
from openmusic_playlist.invalidation import playlist_added
from openmusic_playlist.playlist_songs.errors import SongsNotFound
from openmusic_playlist.playlist_songs.repository import PlaylistSongRepository
from openmusic_playlist.playlists.repository import PlaylistRepository
from openmusic_playlist.projections.directories import SongDirectory, UserDirectory
from openmusic_playlist.projections.freshness import Freshness
from openmusic_playlist.projections.models import SongCopy

SHOWN = 100  # missing rows in a report
SHOWN_TEXT = 200  # characters of each text
DEFAULT_NAME = "Imported playlist"


class ImportService:
    def __init__(
        self,
        database: Database,
        cache: Cache,
        users: UserDirectory,
        songs: SongDirectory,
        matching: SongMatching,
        freshness: Freshness,
    ) -> None:
        self._database = database
        self._cache = cache
        self._users = users
        self._songs = songs
        self._matching = matching
        self._freshness = freshness
        self._reading = asyncio.Lock()  # what a file holds takes several times its size

    async def add(self, content: bytes, file_format: str, name: str, user_id: str) -> ImportReport:
        """Makes a playlist of the user from a file, all at once. ``name`` is by default that of the file.

        Raises FileInvalid and Unavailable.
        """
        return ImportReport.decode(await self._add(content, file_format, name, user_id))

    @repeatable
    async def _add(self, content: bytes, file_format: str, name: str, user_id: str) -> str:
        """Returns the report as text, which a repeat of the request gets as well."""
        compared_in = await self._freshness.recent_incarnation()  # of before the catalogue is asked
        async with self._reading:
            file = await asyncio.to_thread(read_file, content, file_format)
        name = next(each for each in (name, file.name, DEFAULT_NAME) if each.strip())
        found = await self._matching.find(file.rows)
        while True:  # again whenever a song was deleted meanwhile
            songs = list({song.id: song for song in found if song is not None}.values())
            report = _report(file.rows, found, len(songs))
            try:
                store = partial(self._store, name, user_id, compared_in, songs, report)
                await self._users.with_copy(user_id, store)
            except SongsNotFound:
                await self._songs.store(songs)
                active = set(await self._songs.known([song.id for song in songs]))
                found = [song if song is not None and song.id in active else None for song in found]
            else:
                return report.encode()

    async def _store(
        self, name: str, user_id: str, compared_in: str | None, songs: Sequence[SongCopy], report: ImportReport
    ) -> None:
        """Raises Unauthenticated for a user without a copy, and SongsNotFound for songs without a current one."""
        result = Result(report.encode())
        async with self._cache.unit_of_work(playlist_added(user_id), result=result) as work:
            if not await PlaylistRepository(work.connection).add(report.playlist_id, name, user_id, compared_in):
                raise Unauthenticated
            if songs:
                added = await PlaylistSongRepository(work.connection).add(report.playlist_id, songs, user_id)
                added.require_all([song.id for song in songs])
            await work.commit()


def _report(rows: Sequence[FileRow], found: Sequence[SongCopy | None], added: int) -> ImportReport:
    missing = [(position, row) for position, (row, song) in enumerate(zip(rows, found, strict=True), 1) if song is None]
    shown = [
        MissingRow(position, *(text[:SHOWN_TEXT] for text in row.readings[0])) for position, row in missing[:SHOWN]
    ]
    return ImportReport(new_id("playlist"), added, len(rows) - len(missing) - added, len(missing), shown)
