"""What belongs to the request or message at hand."""

from contextvars import ContextVar

import uuid_utils

request_id: ContextVar[str] = ContextVar("request_id", default="")
redelivered: ContextVar[bool] = ContextVar("redelivered", default=False)
"""Whether the message at hand was in somebody's hands before, who did not settle it."""


def new_request_id() -> str:
    return str(uuid_utils.uuid7().hex)
