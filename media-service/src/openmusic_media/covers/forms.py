"""Extracts the cover from a multipart form (RFC 2046, section 5.1.1; RFC 7578)."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.utils import collapse_rfc2231_value

from openmusic_media.covers.errors import CoverMissing, NotAForm, SeveralCovers

MAX_PARTS = 20  # one is needed; some clients send a few more fields


def extract_cover(content_type: str, body: bytes) -> bytes:
    """Returns the bytes of the file field ``cover``. Raises NotAForm, CoverMissing or SeveralCovers."""
    try:
        covers = [(is_file, content) for name, is_file, content in _fields(content_type, body) if name == "cover"]
    except ValueError as error:  # the form names an encoding that it does not have
        raise NotAForm from error
    if len(covers) > 1:
        raise SeveralCovers
    if not covers or not covers[0][0]:
        raise CoverMissing
    return covers[0][1]


def _fields(content_type: str, body: bytes) -> Iterator[tuple[str, bool, bytes]]:
    """Yields the name of each field, whether it is a file, and its content."""
    for number, (headers, content) in enumerate(_parts(_boundary(content_type), body), 1):
        name = _parameter(headers, "name")
        if number > MAX_PARTS:
            raise NotAForm(f"The form must have at most {MAX_PARTS} fields")
        if name is None:
            raise NotAForm
        yield name, _parameter(headers, "filename") is not None, content


def _boundary(content_type: str) -> bytes:
    headers = Message()
    headers["Content-Type"] = content_type
    boundary = headers.get_boundary()
    if headers.get_content_type() != "multipart/form-data" or not boundary:
        raise NotAForm
    return boundary.encode("latin-1")


def _parts(boundary: bytes, body: bytes) -> Iterator[tuple[Message, bytes]]:
    """Yields headers and content of each part. Skips the preamble and the epilogue."""
    delimiter = re.compile(rb"(?:\A|\r\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|\Z)")
    start: int | None = None
    for found in delimiter.finditer(body):
        if start is not None:
            yield _parsed(body[start : found.start()])
        if found[1]:
            return
        start = found.end()
    raise NotAForm


def _parsed(part: bytes) -> tuple[Message, bytes]:
    """``part`` begins with the line break that ends its delimiter, and its headers if there are none."""
    head, separator, content = part.partition(b"\r\n\r\n")
    if not separator:
        raise NotAForm
    return message_from_bytes(head.removeprefix(b"\r\n")), content


def _parameter(headers: Message, name: str) -> str | None:
    """Reads a parameter of Content-Disposition, also in the encoded form ``name*=`` (RFC 2231)."""
    value = headers.get_param(name, header="Content-Disposition")
    return None if value is None else collapse_rfc2231_value(value)
