"""What became of an attempt, and what follows from it for the job."""

from dataclasses import dataclass

from openmusic_export.delivery.errors import MailError, MailInDoubt, PermanentMailError, PlaylistDeleted
from openmusic_export.exports.repository import Attempt, FinalStatus, Problem
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging.topology import RetrySchedule

DeliveryError = MailError | PlaylistDeleted | Unavailable


@dataclass(frozen=True, slots=True)
class Settled:
    status: FinalStatus
    reason: str | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Postponed:
    reason: str
    problem: Problem
    delay: float
    """Seconds until the next attempt."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The job stays as it was recorded before its content was sent, and is tried again much later."""

    reason: str


Result = Settled | Postponed | InDoubt


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    schedule: RetrySchedule
    max_copies: int
    """Mails of one job that may arrive, when the mail server never confirms one."""

    def result(self, attempt: Attempt, error: DeliveryError | None) -> Result:
        """``error`` is what ended the attempt; None means that the mail server accepted the mail."""
        if error is None:
            return Settled("sent")
        if isinstance(error, PlaylistDeleted):
            return Settled("cancelled", str(error), "playlist_deleted")
        if isinstance(error, MailInDoubt):
            copies = min(attempt.copies + 1, self.max_copies)
            reason = f"{error} (sent {copies} times)"
            return InDoubt(reason) if copies < self.max_copies else Settled("failed", reason, "unconfirmed")
        if isinstance(error, PermanentMailError):
            return Settled("failed", str(error), "rejected")
        problem: Problem = "playlist_unavailable" if isinstance(error, Unavailable) else "mail_server_unavailable"
        if attempt.failing_for >= self.schedule.give_up_after:
            return Settled("failed", str(error), problem)
        return Postponed(str(error), problem, self.schedule.delay(attempt.number))
