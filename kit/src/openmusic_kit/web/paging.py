"""Lists are paged by key: an opaque cursor names the last item seen, and ``Link`` leads to the next page (RFC 8288)."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Response
from pydantic import WithJsonSchema

from openmusic_kit.errors import Invalid
from openmusic_kit.web.schemas import WireModel

T = TypeVar("T")

PAGE_SIZE = 1000
MAX_LINK_LENGTH = 28_000
"""Bytes of a ``Link``. The longest query that a list repeats there has two texts of 1000 characters and one of 100;
percent-encoded, each character takes up to 12 bytes (four of UTF-8, three for each of them). The cursor may hold two
texts of 100 characters."""

Limit = Annotated[
    int | None, Query(ge=1, le=PAGE_SIZE), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": PAGE_SIZE})
]
"""Items on a page, as a client asks for it; None for a list that is whole then."""

PageSize = Annotated[int, Query(ge=1, le=PAGE_SIZE)]
"""Items on a page of a list that is never whole; its default is PAGE_SIZE."""


class CursorInvalid(Invalid):
    message = "cursor: not one that this list gave out"


def encode_cursor(last_key: str) -> str:
    return base64.urlsafe_b64encode(last_key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The key that was encoded. Raises CursorInvalid."""
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise CursorInvalid from error
    if "\0" in key:
        raise CursorInvalid
    return key


class Section(WireModel, Generic[T]):
    """A page of a list that another service reads. ``next`` is the ``after`` of the next page; null on the last."""

    items: list[T]
    next: str | None


def section(items: list[T], limit: int, key: Callable[[T], str]) -> Section[T]:
    """The page that these items are, of at most ``limit``, each with its ``key``."""
    return Section(items=items, next=key(items[-1]) if len(items) == limit else None)


def first_page(
    found: list[T], limit: int, response: Response, path: str, key: Callable[[T], str], **query: str | int | None
) -> list[T]:
    """The first ``limit`` items; if more were found, ``Link`` leads on from the ``key`` of the last, by this query."""
    page = found[:limit]
    if len(found) > limit:
        cursor = encode_cursor(key(page[-1]))
        response.headers["Link"] = next_page_link(path, **query, limit=limit, cursor=cursor)
    return page


def next_page_link(path: str, **query: str | int | None) -> str:
    """The value of a ``Link`` header; parameters that are None are left out. Raises ValueError if it is too long."""
    given = {name: value for name, value in query.items() if value is not None}
    link = f'<{path}?{urlencode(given)}>; rel="next"'
    if len(link) > MAX_LINK_LENGTH:
        raise ValueError("the query of this list must be bounded more tightly")
    return link
