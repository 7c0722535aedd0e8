"""Byte ranges of RFC 9110, section 14: a single one is honoured, anything else is as if it had not been asked for."""

import re

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_DIGITS = 18  # a position with more of them is beyond the end of any cover; Python refuses to read thousands


class RangeNotSatisfiable(Exception):
    pass


def requested_range(header: str | None, size: int) -> range | None:
    """The bytes to send, or None for all of them. Raises RangeNotSatisfiable."""
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
