from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

from psycopg.rows import class_row

from openmusic_export.formats import FormatName
from openmusic_kit.database.database import Connection, count_up_to

FinalStatus = Literal["sent", "failed", "cancelled"]
Status = Literal["pending", "sent", "failed", "cancelled"]
Problem = Literal["rejected", "unconfirmed", "mail_server_unavailable", "playlist_unavailable", "playlist_deleted"]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its requester sees it."""

    id: str
    playlist_id: str
    target_email: str
    format: FormatName
    status: Status
    problem: Problem | None
    attempts: int
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobDetails:
    """A job as operators see it."""

    id: str
    playlist_id: str
    target_email: str
    requested_by: str
    status: Status
    reason: str | None
    attempts: int
    copies: int
    created_at: datetime
    next_attempt_at: datetime
    settled_at: datetime | None
    dead_event_id: str | None


@dataclass(frozen=True, slots=True)
class LockedJob:
    status: Status
    reason: str | None
    due: bool
    attempts: int
    copies: int
    """Mails that may have arrived."""
    failing_for: float
    """Seconds since the first failure."""
    dead_event_id: str | None
    """The message that became the dead letter of this job."""
    format: FormatName


@dataclass(frozen=True, slots=True)
class DueJob:
    id: str
    playlist_id: str
    target_email: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to send the mail of a job."""

    job_id: str
    event_id: str
    number: int
    """Counts from 1."""
    copies: int
    """Earlier mails that may have arrived."""
    failing_for: float
    """Seconds since the first failure."""
    file_format: FormatName = "json"


_DETAILS: LiteralString = """
    SELECT id, playlist_id, target_email, requested_by, status, reason, attempts, copies,
           created_at, next_attempt_at, settled_at, dead_event_id
    FROM export_jobs
"""


class JobRepository:
    """Times are PostgreSQL's, so that the clocks of workers may differ."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self, job_id: str, playlist_id: str, target_email: str, file_format: FormatName, requested_by: str
    ) -> bool:
        """Returns False for a user who was deleted."""
        cursor = await self._connection.execute(
            """
            INSERT INTO export_jobs (id, playlist_id, target_email, format, requested_by)
            SELECT %(id)s, %(playlist_id)s, %(target_email)s, %(format)s, %(requested_by)s
            WHERE NOT EXISTS (SELECT FROM deleted_users d WHERE d.user_id = %(requested_by)s)
            """,
            {
                "id": job_id,
                "playlist_id": playlist_id,
                "target_email": target_email,
                "format": file_format,
                "requested_by": requested_by,
            },
        )
        return cursor.rowcount == 1

    async def cancel_all(self, requested_by: str) -> None:
        """Leaves nothing of a user's jobs but their ids: messages about them may still come, and are ignored."""
        await self._connection.execute(
            """
            UPDATE export_jobs
            SET requested_by = '', playlist_id = '', target_email = '', reason = NULL, problem = NULL,
                status = 'cancelled', settled_at = coalesce(settled_at, now()), dead_event_id = NULL
            WHERE requested_by = %(requested_by)s
            """,
            {"requested_by": requested_by},
        )

    async def find(self, job_id: str, requested_by: str) -> Job | None:
        cursor = self._connection.cursor(row_factory=class_row(Job))
        await cursor.execute(
            """
            SELECT id, playlist_id, target_email, format, status, problem, attempts, created_at, settled_at
            FROM export_jobs WHERE id = %(id)s AND requested_by = %(requested_by)s
            """,
            {"id": job_id, "requested_by": requested_by},
        )
        return await cursor.fetchone()

    async def list_requested(self, requested_by: str, before: str, limit: int) -> list[Job]:
        """Newest first. ``before`` is the id of the last job of the previous page, or empty."""
        cursor = self._connection.cursor(row_factory=class_row(Job))
        await cursor.execute(
            """
            SELECT id, playlist_id, target_email, format, status, problem, attempts, created_at, settled_at
            FROM export_jobs WHERE requested_by = %(requested_by)s AND (%(before)s = '' OR id < %(before)s)
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {"requested_by": requested_by, "before": before, "limit": limit},
        )
        return await cursor.fetchall()

    async def count_requested(self, requested_by: str, limit: int) -> int:
        """Counts up to ``limit``."""
        rows = "SELECT FROM export_jobs WHERE requested_by = %(requested_by)s"
        return await count_up_to(self._connection, limit, rows, {"requested_by": requested_by})

    async def list_all(self, status: Status | None, before: str, limit: int) -> list[JobDetails]:
        """Newest first. ``before`` is the id of the last job of the previous page, or empty."""
        cursor = self._connection.cursor(row_factory=class_row(JobDetails))
        await cursor.execute(
            f"""
            {_DETAILS} WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(before)s = '' OR id < %(before)s)
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {"status": status, "before": before, "limit": limit},
        )
        return await cursor.fetchall()

    async def find_details(self, job_id: str) -> JobDetails | None:
        cursor = self._connection.cursor(row_factory=class_row(JobDetails))
        await cursor.execute(
            f"{_DETAILS} WHERE id = %(id)s",
            {"id": job_id},
        )
        return await cursor.fetchone()

    async def make_due(self, job_id: str) -> None:
        """The job is announced at the next poll. Its failures count from now on."""
        await self._connection.execute(
            """
            UPDATE export_jobs
            SET next_attempt_at = now(), announced_at = now() - interval '1 second', failing_since = now()
            WHERE id = %(id)s
            """,
            {"id": job_id},
        )

    async def cancel(self, job_id: str) -> None:
        await self._connection.execute(
            "UPDATE export_jobs SET status = 'cancelled', settled_at = now() WHERE id = %(id)s", {"id": job_id}
        )

    async def exists(self, job_id: str) -> bool:
        cursor = await self._connection.execute("SELECT 1 FROM export_jobs WHERE id = %(id)s", {"id": job_id})
        return await cursor.fetchone() is not None

    async def lock(self, job_id: str) -> LockedJob | None:
        """Locks the job until the transaction ends. None if there is no such job, or another worker holds it."""
        cursor = self._connection.cursor(row_factory=class_row(LockedJob))
        await cursor.execute(
            """
            SELECT status, reason, next_attempt_at <= now() AS due, attempts, copies,
                   coalesce(extract(epoch FROM now() - failing_since), 0)::float AS failing_for, dead_event_id, format
            FROM export_jobs WHERE id = %(id)s FOR UPDATE SKIP LOCKED
            """,
            {"id": job_id},
        )
        return await cursor.fetchone()

    async def reopen(self, job_id: str) -> None:
        """A failed job starts over."""
        await self._connection.execute(
            """
            UPDATE export_jobs
            SET status = 'pending', settled_at = NULL, copies = 0, failing_since = NULL, dead_event_id = NULL
            WHERE id = %(id)s
            """,
            {"id": job_id},
        )

    async def begin_copy(self, attempt: Attempt, repeat_after: float) -> bool:
        """From now on a mail may have arrived. Without a result, the job is due in ``repeat_after`` seconds.

        Returns False if the user was deleted: then no mail may be sent.
        """
        cursor = await self._connection.execute(
            """
            UPDATE export_jobs
            SET attempts = %(number)s, copies = %(copies)s + 1,
                reason = 'in doubt: the mail may have arrived', problem = 'unconfirmed',
                failing_since = coalesce(failing_since, clock_timestamp()),
                next_attempt_at = clock_timestamp() + make_interval(secs => %(repeat_after)s)
            WHERE id = %(id)s AND NOT EXISTS (SELECT FROM deleted_users d WHERE d.user_id = requested_by)
            """,
            {
                "id": attempt.job_id,
                "number": attempt.number,
                "copies": attempt.copies,
                "repeat_after": repeat_after,
            },
        )
        return cursor.rowcount == 1

    async def postpone(self, attempt: Attempt, reason: str, problem: Problem, delay: float) -> None:
        """After a failure that certainly sent no mail. Does nothing after a later attempt, or for a deleted user."""
        await self._connection.execute(
            """
            UPDATE export_jobs
            SET attempts = %(number)s, copies = %(copies)s, reason = %(reason)s, problem = %(problem)s,
                failing_since = coalesce(failing_since, clock_timestamp()),
                next_attempt_at = clock_timestamp() + make_interval(secs => %(delay)s)
            WHERE id = %(id)s AND attempts <= %(number)s AND requested_by <> ''
            """,
            {
                "id": attempt.job_id,
                "number": attempt.number,
                "copies": attempt.copies,
                "reason": reason,
                "problem": problem,
                "delay": delay,
            },
        )

    async def settle(
        self, attempt: Attempt, status: FinalStatus, reason: str | None, problem: Problem | None, keep_for: float
    ) -> float | None:
        """Returns the seconds since the job was requested. Does nothing, and returns None, if the user was deleted.

        Also deletes up to ten other jobs that were settled more than ``keep_for`` seconds ago.
        """
        cursor = await self._connection.execute(
            """
            WITH old AS (
                DELETE FROM export_jobs WHERE id IN (
                    SELECT id FROM export_jobs
                    WHERE settled_at < now() - make_interval(secs => %(keep_for)s) AND id <> %(id)s
                    ORDER BY settled_at LIMIT 10 FOR UPDATE SKIP LOCKED
                )
            )
            UPDATE export_jobs
            SET status = %(status)s, reason = %(reason)s, problem = %(problem)s,
                attempts = greatest(attempts, %(number)s), settled_at = now(), dead_event_id = %(dead_event_id)s
            WHERE id = %(id)s AND requested_by <> ''
            RETURNING extract(epoch FROM clock_timestamp() - created_at)::float AS age
            """,
            {
                "id": attempt.job_id,
                "number": attempt.number,
                "status": status,
                "reason": reason,
                "problem": problem,
                "keep_for": keep_for,
                "dead_event_id": attempt.event_id if status == "failed" else None,
            },
        )
        row = await cursor.fetchone()
        return row["age"] if row else None

    async def claim_due(self, limit: int, announce_again_after: float, retry_for: float) -> list[DueJob]:
        """Due jobs to announce, which count as announced.

        A job is announced when it becomes due, and again if no worker took it within ``announce_again_after`` seconds.
        Skips jobs that a worker holds, and those that an older version gave up, ``retry_for`` seconds after they began.
        """
        cursor = self._connection.cursor(row_factory=class_row(DueJob))
        await cursor.execute(
            """
            UPDATE export_jobs SET announced_at = now()
            WHERE id IN (
                SELECT id FROM export_jobs
                WHERE status = 'pending' AND next_attempt_at <= now()
                  AND (announced_at < next_attempt_at
                       OR announced_at <= now() - make_interval(secs => %(announce_again_after)s))
                  AND (attempts = 0 OR failing_since IS NOT NULL
                       OR created_at > now() - make_interval(secs => %(retry_for)s))
                ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            )
            RETURNING id, playlist_id, target_email, attempts
            """,
            {"limit": limit, "announce_again_after": announce_again_after, "retry_for": retry_for},
        )
        return await cursor.fetchall()

    async def release(self, job_ids: list[str]) -> None:
        """The jobs were not announced after all: they are claimed again next time."""
        await self._connection.execute(
            """
            UPDATE export_jobs SET announced_at = next_attempt_at - interval '1 second'
            WHERE id = ANY(%(ids)s) AND status = 'pending'
            """,
            {"ids": job_ids},
        )
