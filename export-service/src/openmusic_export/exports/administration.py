from openmusic_export.exports.errors import ExportBusy, ExportInDoubt, ExportNotFound, ExportSettled
from openmusic_export.exports.repository import JobDetails, JobRepository, LockedJob, Status
from openmusic_kit.database.database import Database
from openmusic_kit.ids import require_id


class ExportAdministration:
    """What operators do with the exports of all users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_all(self, status: Status | None, before: str, limit: int) -> list[JobDetails]:
        """Newest first, older than the export ``before``, if that is not empty."""
        async with self._database.read() as connection:
            return await JobRepository(connection).list_all(status, before, limit)

    async def get(self, export_id: str) -> JobDetails:
        """Raises ExportNotFound."""
        require_id("export", export_id, ExportNotFound)
        async with self._database.read() as connection:
            job = await JobRepository(connection).find_details(export_id)
        if job is None:
            raise ExportNotFound
        return job

    async def retry(self, export_id: str, *, even_in_doubt: bool) -> None:
        """A worker tries it at once; a failed export starts over.

        Raises ExportNotFound, ExportSettled, ExportBusy and, as the mail may come twice, ExportInDoubt.
        """
        async with self._database.unit_of_work() as work:
            jobs = JobRepository(work.connection)
            job = await self._lock(jobs, export_id)
            if job.status not in {"pending", "failed"}:
                raise ExportSettled(f"The export is {job.status}: it is not tried again")
            if job.copies and not even_in_doubt:
                raise ExportInDoubt
            if job.status == "failed":
                await jobs.reopen(export_id)
            await jobs.make_due(export_id)
            await work.commit()

    async def cancel(self, export_id: str) -> None:
        """Raises ExportNotFound, ExportSettled and ExportBusy."""
        async with self._database.unit_of_work() as work:
            jobs = JobRepository(work.connection)
            job = await self._lock(jobs, export_id)
            if job.status != "pending":
                raise ExportSettled(f"The export is {job.status}: there is nothing to cancel")
            await jobs.cancel(export_id)
            await work.commit()

    async def _lock(self, jobs: JobRepository, export_id: str) -> LockedJob:
        require_id("export", export_id, ExportNotFound)
        job = await jobs.lock(export_id)
        if job is None:
            raise ExportBusy if await jobs.exists(export_id) else ExportNotFound
        return job
