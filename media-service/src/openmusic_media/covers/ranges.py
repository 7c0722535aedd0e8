"""Byte ranges (RFC 9110, section 14). A single range is honoured, any other header is ignored."""

import re

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_DIGITS = 18  # longer positions are beyond the end of any cover, and Python refuses to parse thousands of digits


class RangeNotSatisfiable(Exception):
    pass


def requested_range(header: str | None, size: int) -> range | None:
    """Returns the bytes to send, or None for all of them. Raises RangeNotSatisfiable."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        part = range(max(size - _position(last), 0), size)
    else:
        part = range(_position(first), min(_position(last) + 1 if last else size, size))
    if last and first and _position(last) < _position(first):
        return None
    if not part:
        raise RangeNotSatisfiable
    return part


def _position(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _DIGITS else 10**_DIGITS
