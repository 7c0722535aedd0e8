from openmusic_kit.database.database import Database
from openmusic_playlist.user_data.models import OwnActivity, OwnCollaboration, OwnPlaylist
from openmusic_playlist.user_data.repository import UserDataRepository


class UserDataService:
    """``after`` is the key of the last item that the caller has."""

    def __init__(self, database: Database, public_url: str) -> None:
        self._database = database
        self._public_url = public_url.rstrip("/")

    async def playlists(self, user_id: str, after: str, limit: int) -> list[OwnPlaylist]:
        async with self._database.read() as connection:
            return await UserDataRepository(connection).playlists(user_id, after, limit, self._public_url)

    async def collaborations(self, user_id: str, after: str, limit: int) -> list[OwnCollaboration]:
        async with self._database.read() as connection:
            return await UserDataRepository(connection).collaborations(user_id, after, limit)

    async def activities(self, user_id: str, after: int, limit: int) -> list[OwnActivity]:
        async with self._database.read() as connection:
            return await UserDataRepository(connection).activities(user_id, after, limit)
