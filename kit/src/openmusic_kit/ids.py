"""Identifiers: a kind, a dash, and a version 7 UUID in hex, so that they sort by time of creation (RFC 9562)."""

import re
from datetime import UTC, datetime

import uuid_utils

from openmusic_kit.errors import NotFound

_UNIQUE_PART = re.compile(r"[0-9a-f]{32}")


def new_id(kind: str) -> str:
    return f"{kind}-{uuid_utils.uuid7().hex}"


def is_id(kind: str, text: str) -> bool:
    """Whether ``text`` could be an id of that kind; anything else need not reach the database."""
    prefix, _, unique_part = text.partition("-")
    return prefix == kind and _UNIQUE_PART.fullmatch(unique_part) is not None


def created_at_of(made: str) -> datetime:
    """When :func:`new_id` made it: a version 7 UUID begins with the milliseconds since 1970, in 48 bits."""
    milliseconds = int(made.partition("-")[2][:12], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def id_schema(kind: str) -> dict[str, str]:
    """The ids of that kind, as a JSON schema."""
    return {"type": "string", "pattern": f"^{kind}-{_UNIQUE_PART.pattern}$"}


def require_id(kind: str, text: str, missing: type[NotFound]) -> None:
    """Raises ``missing`` unless ``text`` could be an id of that kind."""
    if not is_id(kind, text):
        raise missing
