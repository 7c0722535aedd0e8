"""Answers of the contract's one shape: failures, and bodies that may come from a cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from openmusic_kit import errors
from openmusic_kit.web import openapi

if TYPE_CHECKING:  # not every service has a cache, and its client is six megabytes
    from openmusic_kit.cache.cache import Cached


def cacheable_answer(cached: Cached, headers: Mapping[str, str]) -> Response:
    """Sends the bytes as they are, and tells whether they came from a cache."""
    source = {"X-Data-Source": "cache"} if cached.hit else {}
    return Response(cached.value, media_type="application/json", headers={**headers, **source})


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    word = "fail" if status < 500 else "error"
    return JSONResponse({"status": word, "message": message}, status, headers)


async def on_service_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ServiceError)  # noqa: S101 - registered for this class only
    status = openapi.status_of(type(error))
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return failure(status, error.message, headers)


async def on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    return failure(400, "; ".join(dict.fromkeys(_describe(problem) for problem in error.errors())))


def _describe(problem: Any) -> str:
    """One validation problem as ``field: what is wrong``; the input itself is not repeated."""
    if problem["type"] == "json_invalid":
        return "The body is not valid JSON"
    if problem["loc"] == ("body",):
        return "The body must be a JSON object, sent as application/json"
    field = ".".join(str(part) for part in problem["loc"][1:])
    return f"{field}: {problem['msg'].removeprefix('Value error, ')}"


async def on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return failure(error.status_code, str(error.detail) or "Error", dict(error.headers or {}))
