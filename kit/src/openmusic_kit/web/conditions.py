"""Changes of what the client has read, and of nothing newer: ``If-Match`` and ``If-None-Match`` (ADR 110).

An endpoint takes the condition of its request and turns it into a check. The service calls the check with what is
there, under the lock that the change holds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from openmusic_kit.checks import Check
from openmusic_kit.errors import PreconditionFailed
from openmusic_kit.web.entity_tags import ANY, entity_tag, matches_strongly, matches_weakly, parse_tags

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Condition:
    """The tags of a request's ``If-Match`` and ``If-None-Match``; None without such a header."""

    match: frozenset[str] | None
    none_match: frozenset[str] | None

    def on(self, *encodings: Callable[[T], bytes]) -> Check[T] | None:
        """The check, if there is something to check. Each encoding makes what a client may get from ``GET``."""
        if self.match in (None, ANY) and self.none_match is None:
            return None  # whatever exists will do

        def check(present: T) -> None:
            self._require([entity_tag(encode(present)) for encode in encodings])

        return check

    def _require(self, present: list[str]) -> None:
        if self.match is not None and not any(matches_strongly(tag, self.match) for tag in present):
            raise PreconditionFailed
        if self.none_match is not None and any(matches_weakly(tag, self.none_match) for tag in present):
            raise PreconditionFailed


async def _condition(request: Request) -> Condition:
    """Raises ConditionInvalid."""
    return Condition(*(_tags(request, name) for name in ("if-match", "if-none-match")))


def _tags(request: Request, header: str) -> frozenset[str] | None:
    values = request.headers.getlist(header)
    return parse_tags(", ".join(values)) if values else None


RequestCondition = Annotated[Condition, Depends(_condition)]
