"""What the replies of a mail server mean: by code (RFC 5321) and enhanced code (RFC 3463, RFC 5248).

Only a reply to ``MAIL`` or later is about a mail. An earlier one is about the connection or the login, which an
operator of either side can fix.
"""

import re

AUTHENTICATION_REQUIRED = {530, 534, 535, 538}  # RFC 4954; some servers say so only at the recipient
SERVER_FAULTS = {
    *("3.1", "3.2", "3.5"),  # the server is full, closed or misconfigured
    *("7.8", "7.9", "7.10", "7.11", "7.12", "7.13", "7.14"),  # it requires TLS or another login
}
"""Subject and detail of enhanced codes that are not about a mail, even if their class is permanent."""
_ENHANCED = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})(?!\S)")


def is_permanent(code: int, text: str) -> bool:
    """Whether the rejection of a mail, by a reply to ``MAIL`` or later, is permanent.

    Both codes must say so: some servers that delay a mail (greylisting) reply with a 5 and an enhanced 4.
    """
    enhanced = _ENHANCED.match(text)
    return 500 <= code < 600 and not is_server_fault(code, text) and not (enhanced and enhanced[1] == "4")


def is_server_fault(code: int, text: str) -> bool:
    """Whether the reply is about the server or the login, and not about this mail."""
    enhanced = _ENHANCED.match(text)
    return code in AUTHENTICATION_REQUIRED or bool(enhanced and enhanced[2] in SERVER_FAULTS)


def is_accepted(code: int) -> bool:
    return 200 <= code < 300


def is_rejected(code: int) -> bool:
    """Whether the mail was rejected, for now or permanently. A code that is neither this nor accepted says nothing."""
    return 400 <= code < 600
