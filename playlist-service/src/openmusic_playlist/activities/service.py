from openmusic_kit.database.database import Database
from openmusic_kit.web.paging import CursorInvalid
from openmusic_playlist.activities.models import ActivityRow
from openmusic_playlist.activities.repository import ActivityRepository
from openmusic_playlist.playlists.access import access_to


class ActivityService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_playlist(
        self, playlist_id: str, user_id: str, after: str, limit: int, edits: bool
    ) -> list[ActivityRow]:
        """``after`` is the position of the last activity that the client has, or empty. Raises CursorInvalid."""
        if after and not (after.isascii() and after.isdecimal() and len(after) < 19):
            raise CursorInvalid
        async with self._database.read() as connection:
            (await access_to(connection, playlist_id, user_id)).require_member()
            return await ActivityRepository(connection).of_playlist(playlist_id, int(after or 0), limit, edits=edits)

    async def count(self, playlist_id: str, user_id: str, edits: bool, limit: int) -> int:
        """Counts up to ``limit``."""
        async with self._database.read() as connection:
            (await access_to(connection, playlist_id, user_id)).require_member()
            return await ActivityRepository(connection).count(playlist_id, limit, edits=edits)
