"""The responses that the gateway makes itself, all in one shape."""

import json
from collections.abc import Iterable
from typing import Any

from openmusic_gateway.asgi import Headers, Send, send_response
from openmusic_gateway.header_filters import SECURITY
from openmusic_kit import errors
from openmusic_kit.web.failures import JSON, Failure


class HttpError(Exception):
    """Ends the request with this response."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.failure = Failure(status, message, code)
        self.headers = headers or {}


NOT_FOUND = "There is no such route"
METHOD_NOT_ALLOWED = "This route does not support that method"
BODY_TOO_LARGE = "The request body is too large"
BODY_TOO_SLOW = "The request body arrives too slowly"
HEADERS_TOO_LARGE = "The request headers are too large"
ONE_HOST = "A request names one host (RFC 9112, section 3.2)"
UNEXPECTED = "Something went wrong on our side"
RETRY_SOON = {"Retry-After": "1"}


def method_not_allowed(methods: Iterable[str]) -> HttpError:
    return HttpError(405, METHOD_NOT_ALLOWED, {"Allow": allowed(methods)})


def allowed(methods: Iterable[str]) -> str:
    return ", ".join(sorted({*methods, "OPTIONS"}))


def unavailable(service: str) -> HttpError:
    return HttpError(503, f"The {service} service is not available at the moment", RETRY_SOON)


def bad_gateway(service: str) -> HttpError:
    return HttpError(502, f"The {service} service returned no valid response", RETRY_SOON)


def timed_out(service: str) -> HttpError:
    return HttpError(504, f"The {service} service took too long", RETRY_SOON)


def from_service_error(error: errors.ServiceError) -> HttpError:
    if isinstance(error, errors.Unauthenticated):
        return HttpError(401, error.message, {"WWW-Authenticate": "Bearer"}, error.code)
    return HttpError(503, error.message, RETRY_SOON, error.code)


def encoded(headers: dict[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def send_json(
    send: Send,
    request_id: str,
    status: int,
    body: dict[str, Any] | bytes,
    headers: dict[str, str] | None = None,
    media_type: str = JSON,
) -> int:
    """``body`` as bytes is JSON already. Returns the status."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    own = [
        *encoded(headers or {}),
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(content)),
        (b"cache-control", b"no-store"),
    ]
    await send_response(send, status, [*own, *_on_every_response(request_id)], content)
    return status


async def send_empty(send: Send, request_id: str, headers: Headers) -> int:
    await send_response(send, 204, [*headers, *_on_every_response(request_id)], b"")
    return 204


async def send_error(send: Send, request_id: str, asked: Headers, error: HttpError, limits: dict[str, str]) -> int:
    """``asked`` are the headers of the request, ``limits`` show those that count it.

    No cache keeps the response, so that it needs no ``Vary``.
    """
    accept = b", ".join(value for name, value in asked if name == b"accept").decode("latin-1")
    media_type, body = error.failure.render(accept)
    return await send_json(send, request_id, error.status, body, {**limits, **error.headers}, media_type)


def _on_every_response(request_id: str) -> Headers:
    return [(b"x-request-id", request_id.encode()), *SECURITY]
