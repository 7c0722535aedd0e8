import logging

from openmusic_export.delivery.errors import JobTaken, MailNotSent, MailRefused
from openmusic_export.delivery.mail import compose
from openmusic_export.delivery.smtp import MailSender
from openmusic_export.events import ExportRequested
from openmusic_export.exports.repository import JobRepository
from openmusic_export.playlists import Playlists
from openmusic_kit.database import Database
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging import Rejected

logger = logging.getLogger(__name__)

DONE = {"sent", "cancelled"}


class DeliveryService:
    def __init__(
        self,
        database: Database,
        playlists: Playlists,
        sender: MailSender,
        mail_from: str,
        subject: str,
        keep_for: float,
    ) -> None:
        """``keep_for`` is how many seconds a settled job is known, so that a repeat sends no mail."""
        self._database = database
        self._playlists = playlists
        self._sender = sender
        self._mail_from = mail_from
        self._subject = subject
        self._keep_for = keep_for

    async def deliver(self, job: ExportRequested) -> None:
        """Sends the mail of a job once, however often the job comes.

        The locked row is the lease: it is given back when this process dies, without any timeout to wait for.
        Raises Rejected for what can never be sent; whatever else is raised may be tried again.
        """
        async with self._database.unit_of_work() as work:
            jobs = JobRepository(work.connection)
            row = await jobs.take(job.job_id)
            if row is None:
                await self._explain_absence(jobs, job.job_id)
            elif row["status"] not in DONE:
                try:
                    reason = await self._send(jobs, job)
                except (MailNotSent, Unavailable) as error:
                    await jobs.note_failure(job.job_id, str(error))
                    await work.commit()
                    raise
                await work.commit()
                logger.info("export is settled", extra={"job": job.job_id, "failed": bool(reason)})
                if reason:
                    raise Rejected(reason)

    async def _send(self, jobs: JobRepository, job: ExportRequested) -> str | None:
        """The reason why it can never be sent, or None."""
        playlist = await self._playlists.get(job.playlist_id)
        if playlist is None:
            await jobs.settle(job.job_id, "cancelled", "the playlist was deleted", self._keep_for)
            return None
        mail = compose(job.job_id, playlist, job.target_email, self._mail_from, self._subject)
        try:
            await self._sender.send(mail)
        except MailRefused as error:
            await jobs.settle(job.job_id, "failed", str(error), self._keep_for)
            return str(error)
        await jobs.settle(job.job_id, "sent", None, self._keep_for)
        return None

    async def _explain_absence(self, jobs: JobRepository, job_id: str) -> None:
        if await jobs.exists(job_id):
            raise JobTaken
        raise Rejected("unknown job")
