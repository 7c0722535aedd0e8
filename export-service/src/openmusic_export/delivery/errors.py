class MailError(Exception):
    """A mail was not confirmed as sent; the text is the reason."""


class PermanentMailError(MailError):
    """The mail server will never accept this mail."""


class TransientMailError(MailError):
    """The mail server did not accept the mail; a later attempt may succeed."""


class MailInDoubt(MailError):
    """The content was sent, or may have been, and the mail server has not said whether it accepts the mail."""


class PlaylistDeleted(Exception):
    """There is nothing left to export."""


class JobLocked(Exception):
    """Another worker holds the job."""
