"""What clients prefer, without a right to it (RFC 7240)."""

COUNT = "count=exact"
MAX_COUNT = 100_000
"""Items of a list that is counted, which bounds the cost. The preference is not applied to a longer one."""


def prefers_count(header: str) -> bool:
    """Whether ``Prefer`` asks for the total count of a list. Of several preferences for a count, the first decides."""
    for item in header.split(","):
        name, _, value = item.partition(";")[0].partition("=")
        if name.strip().lower() == "count":
            return value.strip().strip('"') == "exact"
    return False
