import asyncio
import logging

from prometheus_client import Histogram

from openmusic_export.delivery.errors import JobLocked, MailError, MailInDoubt, PlaylistDeleted
from openmusic_export.delivery.mail import compose
from openmusic_export.delivery.results import DeliveryError, Postponed, Result, RetryPolicy, Settled
from openmusic_export.delivery.smtp import MailSender, Offer
from openmusic_export.events import ExportRequested, retry_schedule
from openmusic_export.exports.repository import Attempt, JobRepository
from openmusic_export.formats import FORMATS
from openmusic_export.playlists import Playlists
from openmusic_export.settings import WorkerSettings
from openmusic_kit import tasks
from openmusic_kit.context import redelivered
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging.consumer import UnprocessableMessage
from openmusic_kit.metrics import Counts

logger = logging.getLogger(__name__)

ATTEMPTS = Counts("openmusic_export_attempts_total", "Attempts to send the mail of an export, by outcome", ("outcome",))
ATTEMPTS.expect(("sent",), ("failed",), ("cancelled",), ("postponed",), ("in_doubt",))
DELIVERY_SECONDS = Histogram(
    "openmusic_export_delivery_seconds",
    "Seconds from the request of an export until the mail server had accepted its mail",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)

RECORD_TIMEOUT = 60.0  # seconds that PostgreSQL may be away when a result is recorded
RECORD_INTERVAL = 1.0  # seconds
NO_REPLY = "in doubt: the mail may have arrived, and the mail server does not say so"


class DeliveryService:
    def __init__(self, database: Database, playlists: Playlists, sender: MailSender, settings: WorkerSettings) -> None:
        self._database = database
        self._playlists = playlists
        self._sender = sender
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.export_concurrency)
        self._policy = RetryPolicy(retry_schedule(settings.export_retry_for), settings.export_copies)

    async def deliver(self, event_id: str, request: ExportRequested) -> None:
        """Sends the mail of a job if it is due, however often its message arrives.

        The database decides when a job is due; a message that arrives earlier is acknowledged and ignored. Until the
        content of the mail is sent, a row lock is the lease of the job: it ends with this process, without a timeout.
        From then on the job is in doubt, and no longer due.

        Raises UnprocessableMessage when the message becomes a dead letter, and JobLocked when it must come again.
        """
        reply: asyncio.Task[None] | None = None
        try:
            async with self._slots:
                started = await self._start(event_id, request)
                if started is None:
                    return
                attempt, offer = started
                reply = asyncio.create_task(offer.complete(), name="mail")
                await asyncio.wait([reply], timeout=self._settings.smtp_timeout)
            await self._finish(attempt, await _error_of(reply))  # a slow reply holds no slot
        finally:
            if reply is not None:
                await tasks.stop(reply)

    async def _start(self, event_id: str, request: ExportRequested) -> tuple[Attempt, Offer] | None:
        """Everything up to the content of the mail. None when there is nothing more to do."""
        async with self._database.unit_of_work() as work:
            jobs = JobRepository(work.connection)
            attempt = await self._lock(jobs, event_id, request.job_id)
            if attempt is None:
                return None
            try:
                offer = await self._offer(attempt, request)
            except (MailError, PlaylistDeleted, Unavailable) as error:
                result = self._policy.result(attempt, error)
                await self._record(jobs, attempt, result)
                await work.commit()
                _dead_letter_if_failed(result, error)
                return None
            try:
                if not await jobs.begin_copy(attempt, self._settings.export_repeat_after):
                    offer.withdraw()
                    return None
                await work.commit()
            except BaseException:
                offer.withdraw()
                raise
            return attempt, offer

    async def _lock(self, jobs: JobRepository, event_id: str, job_id: str) -> Attempt | None:
        """None when the message asks for nothing that is to be done now."""
        job = await jobs.lock(job_id)
        if job is None:
            if await jobs.exists(job_id):
                raise JobLocked
            raise UnprocessableMessage("unknown job")
        if job.status == "failed":
            if job.dead_event_id not in {None, event_id}:
                return None
            if redelivered.get():  # it never reached the dead letters, so no operator has sent it back from there
                raise UnprocessableMessage(job.reason)
            await jobs.reopen(job_id)
            return Attempt(job_id, event_id, job.attempts + 1, 0, 0, job.format)
        if job.status != "pending" or not job.due:
            return None
        return Attempt(job_id, event_id, job.attempts + 1, job.copies, job.failing_for, job.format)

    async def _offer(self, attempt: Attempt, request: ExportRequested) -> Offer:
        """Raises a DeliveryError."""
        if attempt.copies >= self._settings.export_copies:
            raise MailInDoubt(NO_REPLY)
        playlist = await self._playlists.get(request.playlist_id)
        if playlist is None:
            raise PlaylistDeleted("the playlist was deleted")
        file_format = FORMATS[attempt.file_format]
        mail = compose(request.job_id, playlist, file_format, request.target_email, self._settings)
        return await self._sender.offer(mail)

    async def _finish(self, attempt: Attempt, error: MailError | None) -> None:
        """Records the result. Without PostgreSQL, retries for a while; after that the job stays in doubt."""
        result = self._policy.result(attempt, error)
        deadline = asyncio.get_running_loop().time() + RECORD_TIMEOUT
        while True:
            try:
                async with self._database.unit_of_work() as work:
                    await self._record(JobRepository(work.connection), attempt, result)
                    await work.commit()
                break
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(RECORD_INTERVAL)
        _dead_letter_if_failed(result, error)

    async def _record(self, jobs: JobRepository, attempt: Attempt, result: Result) -> None:
        job = {"job": attempt.job_id, "reason": result.reason}
        if isinstance(result, Settled):
            seconds = await jobs.settle(
                attempt, result.status, result.reason, result.problem, self._settings.keep_jobs_for
            )
            ATTEMPTS.add(result.status)
            if result.status == "sent" and seconds is not None:
                DELIVERY_SECONDS.observe(seconds)
            logger.info("export settled", extra={**job, "failed": result.status == "failed"})
        elif isinstance(result, Postponed):
            await jobs.postpone(attempt, result.reason, result.problem, result.delay)
            ATTEMPTS.add("postponed")
            logger.warning("export postponed", extra=job)
        else:
            ATTEMPTS.add("in_doubt")
            logger.warning("export in doubt", extra=job)


async def _error_of(reply: "asyncio.Task[None]") -> MailError | None:
    try:
        await reply
    except MailError as error:
        return error
    return None


def _dead_letter_if_failed(result: Result, error: DeliveryError | None) -> None:
    if isinstance(result, Settled) and result.status == "failed":
        raise UnprocessableMessage(result.reason) from error
