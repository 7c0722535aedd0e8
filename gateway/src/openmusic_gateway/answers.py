"""Answers that the gateway gives itself, in the one shape."""

import json
from collections.abc import Iterable
from typing import Any

from openmusic_gateway.headers import SECURITY
from openmusic_kit import errors


class Refused(Exception):
    """Ends the request with this answer."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


NOT_FOUND = "There is no such route"
BODY_TOO_LARGE = "The request body is too large"
BODY_TOO_SLOW = "The request body came too slowly"
HEADERS_TOO_LARGE = "The request headers are too large"
ONE_HOST = "A request names one host (RFC 9112, section 3.2)"
UNEXPECTED = "Something went wrong on our side"


def method_not_allowed(methods: Iterable[str]) -> Refused:
    return Refused(405, "This route does not know that method", {"Allow": _allow(methods)})


def _allow(methods: Iterable[str]) -> str:
    return ", ".join(sorted({*methods, "OPTIONS"}))


def unavailable(service: str) -> Refused:
    return Refused(503, f"The {service} service is not available at the moment", {"Retry-After": "1"})


def bad_gateway(service: str) -> Refused:
    return Refused(502, f"The {service} service did not give a usable answer", {"Retry-After": "1"})


def timed_out(service: str) -> Refused:
    return Refused(504, f"The {service} service took too long", {"Retry-After": "1"})


def of(error: errors.ServiceError) -> Refused:
    if isinstance(error, errors.Unauthenticated):
        return Refused(401, error.message, {"WWW-Authenticate": "Bearer"})
    return Refused(503, error.message, {"Retry-After": "1"})


async def send_json(send: Any, status: int, body: dict[str, Any], headers: dict[str, str], request_id: str) -> None:
    await send_content(send, status, json.dumps(body).encode(), headers, request_id)


async def send_content(send: Any, status: int, content: bytes, headers: dict[str, str], request_id: str) -> None:
    """``content`` is JSON already."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw += [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        *SECURITY,
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


async def send_options(send: Any, methods: Iterable[str], request_id: str) -> int:
    raw = [(b"allow", _allow(methods).encode()), (b"x-request-id", request_id.encode()), *SECURITY]
    await send({"type": "http.response.start", "status": 204, "headers": raw})
    await send({"type": "http.response.body", "body": b""})
    return 204


async def send_refusal(send: Any, refused: Refused, request_id: str) -> None:
    word = "fail" if refused.status < 500 else "error"
    body = {"status": word, "message": refused.message}
    await send_json(send, refused.status, body, refused.headers, request_id)
