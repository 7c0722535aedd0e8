"""Byte ranges of RFC 9110, section 14: a single one is honoured, anything else is as if it had not been asked for."""

import re

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class RangeNotSatisfiable(Exception):
    pass


def requested_range(header: str | None, size: int) -> range | None:
    """The bytes to send, or None for all of them. Raises RangeNotSatisfiable."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        part = range(max(size - int(last), 0), size)
    else:
        part = range(int(first), min(int(last) + 1 if last else size, size))
    if last and first and int(last) < int(first):
        return None
    if not part:
        raise RangeNotSatisfiable
    return part
