from openmusic_export.events import ExportRequested
from openmusic_export.exports.errors import OwnerOnly, PlaylistNotFound
from openmusic_export.exports.repository import JobRepository
from openmusic_export.playlists import Playlists
from openmusic_kit.database.database import Database
from openmusic_kit.ids import new_id
from openmusic_kit.messaging import outbox


class ExportService:
    def __init__(self, database: Database, playlists: Playlists) -> None:
        self._database = database
        self._playlists = playlists

    async def request(self, playlist_id: str, target_email: str, user_id: str) -> None:
        """Stores the job and its event in one transaction. Raises PlaylistNotFound, OwnerOnly and Unavailable."""
        owner_id = await self._playlists.owner_of(playlist_id)
        if owner_id is None:
            raise PlaylistNotFound
        if owner_id != user_id:
            raise OwnerOnly
        job_id = new_id("export")
        async with self._database.unit_of_work() as work:
            await JobRepository(work.connection).add(job_id, playlist_id, target_email, user_id)
            event = ExportRequested(job_id=job_id, playlist_id=playlist_id, target_email=target_email)
            await outbox.append(work.connection, event, aggregate_id=job_id, sequence=1)
            await work.commit()
