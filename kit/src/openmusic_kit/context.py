"""What belongs to the request or message at hand."""

from contextvars import ContextVar

import uuid_utils

request_id: ContextVar[str] = ContextVar("request_id", default="")


def new_request_id() -> str:
    return str(uuid_utils.uuid7().hex)
