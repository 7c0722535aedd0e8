"""What became of an attempt, and what follows from it for the job."""

from dataclasses import dataclass

from openmusic_export.delivery.errors import MailError, MailInDoubt, PermanentMailError, PlaylistDeleted
from openmusic_export.exports.repository import Attempt, FinalStatus
from openmusic_kit.errors import Unavailable
from openmusic_kit.messaging.topology import RetrySchedule

DeliveryError = MailError | PlaylistDeleted | Unavailable


@dataclass(frozen=True, slots=True)
class Settled:
    status: FinalStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Postponed:
    reason: str
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
            return Settled("cancelled", str(error))
        if isinstance(error, MailInDoubt):
            copies = min(attempt.copies + 1, self.max_copies)
            reason = f"{error} (sent {copies} times)"
            return InDoubt(reason) if copies < self.max_copies else Settled("failed", reason)
        if isinstance(error, PermanentMailError) or attempt.failing_for >= self.schedule.give_up_after:
            return Settled("failed", str(error))
        return Postponed(str(error), self.schedule.delay(attempt.number))
