from collections.abc import Sequence

from openmusic_catalog.matching.repository import MatchRepository, Wanted
from openmusic_catalog.songs.repository import SongCopy
from openmusic_kit.database.database import Database


class MatchingService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, wanted: Sequence[Wanted]) -> list[SongCopy | None]:
        """Returns for each the song with that title and performer, accents and letter case aside."""
        async with self._database.read() as connection:
            matches = await MatchRepository(connection).find(wanted)
        found = {match.number: match for match in matches}
        return [found.get(number) for number, _ in enumerate(wanted, 1)]
