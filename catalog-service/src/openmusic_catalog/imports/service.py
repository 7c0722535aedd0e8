from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from openmusic_catalog.imports.files import Row, hash_of, read_rows
from openmusic_catalog.imports.repository import ImportRepository
from openmusic_catalog.invalidation import song_changed, songs_of_album_changed
from openmusic_catalog.songs.repository import SongFields
from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.unit_of_work import Purge
from openmusic_kit.ids import new_id

BATCH = 1000  # rows of one transaction


@dataclass(frozen=True)
class Rejected:
    row: int
    reason: str
    content: object


@dataclass
class Outcome:
    """``skipped`` rows were imported before, when the import of the same file was interrupted."""

    imported: int = 0
    rejected: int = 0
    skipped: int = 0


class ImportService:
    """Adds the songs of a file as ``POST /songs`` would, a thousand in each transaction."""

    def __init__(self, cache: Cache, purge: Purge) -> None:
        self._cache = cache
        self._purge = purge

    async def run(
        self,
        path: Path,
        reject: Callable[[Rejected], None],
        report: Callable[[Outcome], None],
        *,
        dry_run: bool = False,
    ) -> Outcome:
        """Continues where an earlier import of the same content ended. Raises FileUnusable and Unavailable.

        A row is rejected before its batch commits, so an import that is interrupted may reject it twice, but never
        not at all.
        """
        outcome, file_hash = Outcome(), hash_of(path)
        for batch in _batches(read_rows(path)):
            await self._import(batch, file_hash, outcome, reject, dry_run)
            report(outcome)
        return outcome

    async def _import(
        self,
        batch: Sequence[Row],
        file_hash: bytes,
        outcome: Outcome,
        reject: Callable[[Rejected], None],
        dry_run: bool,
    ) -> None:
        async with self._cache.unit_of_work(purge=self._purge) as work:
            imports = ImportRepository(work.connection)
            done = await imports.lock(file_hash)
            rows = [row for row in batch if row.number > done]
            wanted = {row.song.album_id for row in rows if isinstance(row.song, SongFields) and row.song.album_id}
            albums = await imports.lock_albums(sorted(wanted))
            songs: dict[str, SongFields] = {}
            for row in rows:
                song = row.song
                if isinstance(song, SongFields) and song.album_id and song.album_id not in albums:
                    song = "albumId: there is no such album"
                if isinstance(song, str):
                    reject(Rejected(row.number, song, row.content))
                else:
                    songs[new_id("song")] = song
            if rows and not dry_run:
                await imports.add_songs(songs)
                await imports.set_rows_done(file_hash, batch[-1].number)
                await work.invalidate(*map(song_changed, songs), *map(songs_of_album_changed, sorted(albums)))
                await work.commit()
        outcome.imported += len(songs)
        outcome.rejected += len(rows) - len(songs)
        outcome.skipped += len(batch) - len(rows)


def _batches(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
