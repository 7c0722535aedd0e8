"""Conditions on entity tags: the gateway decides those of reads, and services those of changes (ADR 110)."""

from openmusic_gateway.compression import without_encoding
from openmusic_gateway.request import Request
from openmusic_gateway.responses import HttpError
from openmusic_kit import errors
from openmusic_kit.web.entity_tags import ConditionInvalid, matches_strongly, matches_weakly, parse_tags


def is_not_modified(request: Request, tag: bytes) -> bool:
    """Whether the client has the content with this tag. Raises HttpError (412) if ``If-Match`` names another."""
    if (tags := request.values(b"if-match")) is not None and not _matches(tag, tags):
        raise HttpError(412, errors.PreconditionFailed.message, code=errors.PreconditionFailed.code)
    tags = request.values(b"if-none-match")
    return tags is not None and not_modified(tag, tags)


def not_modified(tag: bytes, tags: bytes) -> bool:
    """Whether ``If-None-Match`` names this tag. One that is malformed does not."""
    return matches_weakly(tag.decode("latin-1"), _parsed(tags))


def _matches(tag: bytes, tags: bytes) -> bool:
    """``If-Match`` names it in any encoding."""
    return matches_strongly(without_encoding(tag).decode("latin-1"), _parsed(without_encoding(tags)))


def _parsed(tags: bytes) -> frozenset[str]:
    """Empty if the header is malformed."""
    try:
        return parse_tags(tags.decode("latin-1"))
    except ConditionInvalid:
        return frozenset()
