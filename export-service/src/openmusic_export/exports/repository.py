from psycopg.rows import DictRow

from openmusic_kit.database import Connection


class JobRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, job_id: str, playlist_id: str, target_email: str, requested_by: str) -> None:
        await self._connection.execute(
            """
            INSERT INTO export_jobs (id, playlist_id, target_email, requested_by)
            VALUES (%(id)s, %(playlist_id)s, %(target_email)s, %(requested_by)s)
            """,
            {
                "id": job_id,
                "playlist_id": playlist_id,
                "target_email": target_email,
                "requested_by": requested_by,
            },
        )

    async def exists(self, job_id: str) -> bool:
        cursor = await self._connection.execute("SELECT 1 FROM export_jobs WHERE id = %(id)s", {"id": job_id})
        return await cursor.fetchone() is not None

    async def take(self, job_id: str) -> DictRow | None:
        """``{status}`` of the job, which is ours until the transaction ends; None when another has it or it is none."""
        cursor = await self._connection.execute(
            "SELECT status FROM export_jobs WHERE id = %(id)s FOR UPDATE SKIP LOCKED", {"id": job_id}
        )
        return await cursor.fetchone()

    async def settle(self, job_id: str, status: str, reason: str | None, keep_for: float) -> None:
        """Removes a few jobs that were settled more than ``keep_for`` seconds ago; one that was not stays."""
        await self._connection.execute(
            """
            WITH old AS (
                DELETE FROM export_jobs WHERE id IN (
                    SELECT id FROM export_jobs
                    WHERE settled_at < now() - make_interval(secs => %(keep_for)s) AND id <> %(id)s
                    ORDER BY settled_at LIMIT 10 FOR UPDATE SKIP LOCKED
                )
            )
            UPDATE export_jobs
            SET status = %(status)s, reason = %(reason)s, attempts = attempts + 1, settled_at = now()
            WHERE id = %(id)s
            """,
            {"id": job_id, "status": status, "reason": reason, "keep_for": keep_for},
        )

    async def note_failure(self, job_id: str, reason: str) -> None:
        """Of an attempt that will be repeated."""
        await self._connection.execute(
            "UPDATE export_jobs SET reason = %(reason)s, attempts = attempts + 1 WHERE id = %(id)s",
            {"id": job_id, "reason": reason},
        )
