from openmusic_export.events import ExportRequested
from openmusic_export.exports.errors import ExportNotFound, OwnerOnly, PlaylistNotFound
from openmusic_export.exports.repository import Job, JobRepository
from openmusic_export.formats import FormatName
from openmusic_export.playlists import Playlist, Playlists
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unauthenticated
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.identity.deleted_users import add_deleted_user
from openmusic_kit.ids import new_id, require_id
from openmusic_kit.messaging import outbox


class ExportService:
    def __init__(self, database: Database, playlists: Playlists) -> None:
        self._database = database
        self._playlists = playlists

    @repeatable
    async def request(self, playlist_id: str, target_email: str, file_format: FormatName, user_id: str) -> str:
        """Stores a job and its event. Returns the id of the job. Raises PlaylistNotFound, OwnerOnly and Unavailable."""
        await self._require_owner(playlist_id, user_id)
        job_id = new_id("export")
        async with self._database.unit_of_work(Result(job_id)) as work:
            if not await JobRepository(work.connection).add(job_id, playlist_id, target_email, file_format, user_id):
                raise Unauthenticated
            event = ExportRequested(job_id=job_id, playlist_id=playlist_id, target_email=target_email)
            await outbox.append(work.connection, event, aggregate_id=job_id, sequence=1)
            await work.commit()
        return job_id

    async def read(self, playlist_id: str, user_id: str) -> Playlist:
        """The playlist as of now, to export it at once. Raises PlaylistNotFound, OwnerOnly and Unavailable."""
        await self._require_owner(playlist_id, user_id)
        playlist = await self._playlists.get(playlist_id)
        if playlist is None:
            raise PlaylistNotFound
        return playlist

    async def delete_all(self, user_id: str) -> None:
        """Deletes what is known of the exports of a user who was deleted. May be repeated."""
        await add_deleted_user(self._database, user_id, "export_jobs")
        async with self._database.autocommit() as connection:
            await JobRepository(connection).cancel_all(user_id)

    async def get(self, export_id: str, user_id: str) -> Job:
        """Raises ExportNotFound, also for the export of another user."""
        require_id("export", export_id, ExportNotFound)
        async with self._database.read() as connection:
            job = await JobRepository(connection).find(export_id, user_id)
        if job is None:
            raise ExportNotFound
        return job

    async def list_requested(self, user_id: str, before: str, limit: int) -> list[Job]:
        """Newest first, older than the export ``before``, if that is not empty."""
        async with self._database.read() as connection:
            return await JobRepository(connection).list_requested(user_id, before, limit)

    async def count_requested(self, user_id: str, limit: int) -> int:
        """Counts up to ``limit``."""
        async with self._database.read() as connection:
            return await JobRepository(connection).count_requested(user_id, limit)

    async def _require_owner(self, playlist_id: str, user_id: str) -> None:
        owner_id = await self._playlists.owner_of(playlist_id)
        if owner_id is None:
            raise PlaylistNotFound
        if owner_id != user_id:
            raise OwnerOnly
