"""Finds the songs of a file's rows: by their ids, else by title and performer as the catalogue folds texts."""

from collections.abc import Iterable, Iterator, Sequence

from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.imports.models import FileRow, Texts
from openmusic_playlist.imports.schemas import MatchesAnswer
from openmusic_playlist.projections.directories import SongDirectory
from openmusic_playlist.projections.models import SongCopy

MAX_IDS = 1000  # songs that are looked up together
MAX_WANTED = 500  # texts in one request
MAX_CHARACTERS = 60_000
"""Of all texts in one request: JSON takes up to twelve bytes for each, and the catalogue a body of a megabyte."""
MAX_TEXT = 1000
"""Characters of a title or a performer. The catalogue has none that are longer."""


class SongMatching:
    def __init__(self, songs: SongDirectory, catalog: ServiceClient) -> None:
        self._songs = songs
        self._catalog = catalog

    async def find(self, rows: Sequence[FileRow]) -> list[SongCopy | None]:
        """Returns the song of each row, or None if there is none. Raises Unavailable."""
        by_id = await self._find_by_ids([row.song_id for row in rows if row.song_id])
        others = [row for row in rows if row.song_id not in by_id]
        by_texts = await self._find_by_texts(texts for row in others for texts in row.readings if _is_possible(texts))
        return [by_id.get(row.song_id) or _first_found(row, by_texts) for row in rows]

    async def _find_by_ids(self, song_ids: list[str]) -> dict[str, SongCopy]:
        distinct = list(dict.fromkeys(song_ids))
        found: dict[str, SongCopy] = {}
        for start in range(0, len(distinct), MAX_IDS):
            found |= await self._songs.find_all(distinct[start : start + MAX_IDS])
        return found

    async def _find_by_texts(self, wanted: Iterable[Texts]) -> dict[Texts, SongCopy]:
        found: dict[Texts, SongCopy] = {}
        for batch in _batches(dict.fromkeys(wanted)):
            content = {"songs": [texts._asdict() for texts in batch]}
            answer = await self._catalog.query("/internal/songs/matches", content)
            if not answer.found:
                raise Unavailable("The catalogue is too old: it cannot match songs")
            matches = answer.parse(DataResponse[MatchesAnswer]).data.songs
            pairs = zip(batch, matches, strict=True)
            found |= {texts: song.as_copy(song.id, song.version) for texts, song in pairs if song is not None}
        return found


def _is_possible(texts: Texts) -> bool:
    return all(text.strip() and len(text) <= MAX_TEXT for text in texts)


def _first_found(row: FileRow, found: dict[Texts, SongCopy]) -> SongCopy | None:
    return next((found[texts] for texts in row.readings if texts in found), None)


def _batches(wanted: Iterable[Texts]) -> Iterator[list[Texts]]:
    """At most MAX_WANTED texts and MAX_CHARACTERS each."""
    batch: list[Texts] = []
    characters = 0
    for texts in wanted:
        length = sum(map(len, texts))
        if batch and (len(batch) == MAX_WANTED or characters + length > MAX_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(texts)
        characters += length
    if batch:
        yield batch
