class MailRefused(Exception):
    """The mail server will never take this mail; the text is its reason."""


class MailNotSent(Exception):
    """The mail server did not take the mail this time."""


class MailInDoubt(Exception):
    """The mail was sent as a whole, or perhaps was, and the mail server did not say whether it took it."""


class JobTaken(Exception):
    """Another worker has the job in hand."""
