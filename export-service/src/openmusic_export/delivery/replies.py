"""What the replies of a mail server mean, by their codes (RFC 5321) and enhanced codes (RFC 3463, RFC 5248).

Only what is said from ``MAIL`` on is about a mail. Whatever is said before that is about the connection or the login,
which its keeper or ours can mend.
"""

import re

LOGIN_WANTED = {530, 534, 535, 538}  # RFC 4954; some servers say so only when they see the recipient
MENDABLE = {
    *("3.1", "3.2", "3.5"),  # the server itself is full, closed, or set up wrongly
    *("7.8", "7.9", "7.10", "7.11", "7.12", "7.13", "7.14"),  # it wants TLS, or another login
}
"""Subject and detail of enhanced codes that are about no mail, though their class says for good."""
_ENHANCED = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})(?!\S)")


def is_final(code: int, text: str) -> bool:
    """Whether a mail that was refused so, at ``MAIL`` or later, will always be refused.

    Both codes must say so: some servers that only delay a mail (greylisting) say it with a 5 and a 4.
    """
    enhanced = _ENHANCED.match(text)
    return 500 <= code < 600 and not is_mendable(code, text) and not (enhanced and enhanced[1] == "4")


def is_mendable(code: int, text: str) -> bool:
    """Whether it is about the server or the login, not about this mail."""
    enhanced = _ENHANCED.match(text)
    return code in LOGIN_WANTED or bool(enhanced and enhanced[2] in MENDABLE)


def is_taken(code: int) -> bool:
    return 200 <= code < 300


def is_refused(code: int) -> bool:
    """For now or for good. What is neither this nor taken cannot be understood, and says nothing."""
    return 400 <= code < 600
