import asyncio
import logging

from openmusic_export.delivery.errors import JobTaken, MailInDoubt, MailNotSent, MailRefused
from openmusic_export.delivery.mail import compose
from openmusic_export.delivery.smtp import MailSender, Offer
from openmusic_export.events import ExportRequested, retry_schedule
from openmusic_export.exports.repository import Attempt, JobRepository
from openmusic_export.playlists import Playlists
from openmusic_export.settings import WorkerSettings
from openmusic_kit import tasks
from openmusic_kit.context import redelivered
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging.consumer import UnprocessableMessage

logger = logging.getLogger(__name__)

DONE = {"sent", "cancelled"}
RECORD_WITHIN = 60.0  # seconds that PostgreSQL has to come back and take what became of a mail
RECORD_INTERVAL = 1.0  # seconds
NO_REPLY = "in doubt: the mail may have arrived, and the mail server does not say so"


class DeliveryService:
    def __init__(self, database: Database, playlists: Playlists, sender: MailSender, settings: WorkerSettings) -> None:
        self._database = database
        self._playlists = playlists
        self._sender = sender
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.export_concurrency)
        self._schedule = retry_schedule(settings.export_retry_for)

    async def deliver(self, event_id: str, request: ExportRequested) -> None:
        """Sends the mail of a job, if it is due, however often the job comes.

        The database knows when a job is tried again: a message that comes earlier, or that another one has overtaken,
        is done. Until the content of a mail is sent, the locked row is the lease: it is given back when this process
        dies, without any timeout to wait for. From then on the job is in doubt, and no longer due.

        Raises UnprocessableMessage for what becomes a dead letter.
        """
        reply: asyncio.Task[None] | None = None
        try:
            async with self._slots:
                begun = await self._begin(event_id, request)
                if begun is None:
                    return
                attempt, offer = begun
                reply = asyncio.create_task(offer.complete(), name="mail")
                await asyncio.wait([reply], timeout=self._settings.smtp_timeout)
            await self._record(attempt, await _outcome(reply))  # a slow answer is waited for beside the other mails
        finally:
            if reply is not None:
                await tasks.stop(reply)

    async def _begin(self, event_id: str, request: ExportRequested) -> tuple[Attempt, Offer] | None:
        """Everything up to the content of the mail. None when there is no more to do."""
        async with self._database.unit_of_work() as work:
            jobs = JobRepository(work.connection)
            attempt = await self._take(jobs, event_id, request.job_id)
            if attempt is None:
                return None
            try:
                offer = await self._offer(jobs, attempt, request)
            except (MailRefused, MailNotSent, MailInDoubt, Unavailable) as error:
                reason = await self._conclude(jobs, attempt, error)
                await work.commit()
                if reason:
                    raise UnprocessableMessage(reason) from error
                return None
            try:
                if offer is not None:
                    await jobs.begin_copy(attempt, self._settings.export_repeat_after)
                await work.commit()
            except BaseException:
                if offer is not None:
                    offer.withdraw()
                raise
            return (attempt, offer) if offer else None

    async def _take(self, jobs: JobRepository, event_id: str, job_id: str) -> Attempt | None:
        """None when this message has nothing to tell."""
        row = await jobs.take(job_id)
        if row is None:
            if await jobs.exists(job_id):
                raise JobTaken
            raise UnprocessableMessage("unknown job")
        if row["status"] == "failed":
            if row["dead_event_id"] not in {None, event_id}:
                return None
            if redelivered.get():  # it did not get among the dead letters, from which alone it may be sent back
                raise UnprocessableMessage(row["reason"])
            await jobs.revive(job_id)
            return Attempt(job_id, event_id, row["attempts"] + 1, copies=0, failing_for=0)
        if row["status"] in DONE or not row["due"]:
            return None
        return Attempt(job_id, event_id, row["attempts"] + 1, row["copies"], row["failing_for"])

    async def _offer(self, jobs: JobRepository, attempt: Attempt, request: ExportRequested) -> Offer | None:
        if attempt.copies >= self._settings.export_copies:
            raise MailInDoubt(NO_REPLY)
        playlist = await self._playlists.get(request.playlist_id)
        if playlist is None:
            await self._settle(jobs, attempt, "cancelled", "the playlist was deleted")
            return None
        settings = self._settings
        mail = compose(request.job_id, playlist, request.target_email, settings.mail_from, settings.mail_subject)
        return await self._sender.offer(mail)

    async def _record(self, attempt: Attempt, outcome: Exception | None) -> None:
        """Tries for a while: what is forgotten here is in doubt."""
        deadline = asyncio.get_running_loop().time() + RECORD_WITHIN
        while True:
            try:
                async with self._database.unit_of_work() as work:
                    reason = await self._conclude(JobRepository(work.connection), attempt, outcome)
                    await work.commit()
                break
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(RECORD_INTERVAL)
        if reason:
            raise UnprocessableMessage(reason) from outcome

    async def _conclude(self, jobs: JobRepository, attempt: Attempt, outcome: Exception | None) -> str | None:
        """Writes down what came of the attempt. Returns why the job becomes a dead letter, or None."""
        if outcome is None:
            await self._settle(jobs, attempt, "sent", None)
            return None
        reason = str(outcome)
        if isinstance(outcome, MailInDoubt):
            copies = min(attempt.copies + 1, self._settings.export_copies)
            reason = f"{reason} (sent {copies} times)"
            if copies < self._settings.export_copies:
                logger.warning("export is in doubt", extra={"job": attempt.job_id, "reason": reason})
                return None  # as it was written down before its content was sent
        elif not isinstance(outcome, MailRefused) and attempt.failing_for < self._schedule.give_up_after:
            delay = self._schedule.delay(attempt.number)
            logger.warning("export will be tried again", extra={"job": attempt.job_id, "reason": reason})
            await jobs.postpone(attempt, reason, delay)
            return None
        await self._settle(jobs, attempt, "failed", reason)
        return reason

    async def _settle(self, jobs: JobRepository, attempt: Attempt, status: str, reason: str | None) -> None:
        dead_event_id = attempt.event_id if status == "failed" else None
        await jobs.settle(attempt, status, reason, self._settings.keep_jobs_for, dead_event_id)
        logger.info("export is settled", extra={"job": attempt.job_id, "failed": status == "failed"})


async def _outcome(reply: "asyncio.Task[None]") -> Exception | None:
    try:
        await reply
    except (MailRefused, MailNotSent, MailInDoubt) as error:
        return error
    return None
