"""How long a list is, for clients that ask with ``Prefer: count=exact`` (RFC 7240, ADR 111)."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from openmusic_kit.web.preferences import COUNT, MAX_COUNT, prefers_count


async def _wants_total(request: Request) -> bool:
    return prefers_count(", ".join(request.headers.getlist("prefer")))


WantsTotal = Annotated[bool, Depends(_wants_total)]


async def total_headers(wanted: bool, count: Callable[[int], Awaitable[int]]) -> dict[str, str]:
    """Headers of a list. ``count`` returns how many items there are on all pages, or the limit that it is given."""
    varies = {"Vary": "Prefer"}
    total = await count(MAX_COUNT + 1) if wanted else None
    if total is None or total > MAX_COUNT:
        return varies
    return {**varies, "Preference-Applied": COUNT, "X-Total-Count": str(total)}
