"""Answers that the kit makes for endpoints: failures, and bodies that may come from a cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from openmusic_kit import errors
from openmusic_kit.web import openapi
from openmusic_kit.web.entity_tags import entity_tag
from openmusic_kit.web.failures import Failure

if TYPE_CHECKING:  # not every service has a cache, and its client is six megabytes
    from openmusic_kit.cache.cache import Cached


def cacheable_answer(cached: Cached, headers: Mapping[str, str]) -> Response:
    """Sends the bytes as they are, and tells whether they came from a cache."""
    source = {"X-Data-Source": "cache"} if cached.hit else {}
    return tagged_answer(cached.value, {**headers, **source})


def tagged_answer(content: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """Sends JSON with its entity tag."""
    tag = {"ETag": entity_tag(content)}
    return Response(content, media_type="application/json", headers={**(headers or {}), **tag})


def failure(failed: Failure, asked: Headers, headers: dict[str, str] | None = None) -> JSONResponse:
    """``asked`` are the headers of the request."""
    media_type, body = failed.render(", ".join(asked.getlist("accept")))
    return JSONResponse(body, failed.status, {"Vary": "Accept", **(headers or {})}, media_type)


async def on_service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ServiceError)  # noqa: S101 - registered for this class only
    status = openapi.status_of(type(error))
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return failure(Failure(status, error.message, error.code, data=error.data), request.headers, headers)


async def on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    problems = error.errors()
    message = "; ".join(dict.fromkeys(map(_describe, problems)))
    wrong = tuple(_locate(problem) for problem in problems if _names_field(problem))
    return failure(Failure(400, message, errors=wrong), request.headers)


def _describe(problem: Any) -> str:
    """One validation problem as ``field: what is wrong``; the input itself is not repeated."""
    if problem["type"] == "json_invalid":
        return "The body is not valid JSON"
    if problem["loc"] == ("body",):
        return "The body must be a JSON object, sent as application/json"
    field = ".".join(str(part) for part in problem["loc"][1:])
    return f"{field}: {_detail(problem)}"


def _names_field(problem: Any) -> bool:
    return bool(problem["type"] != "json_invalid" and problem["loc"] != ("body",))


def _locate(problem: Any) -> dict[str, str]:
    """The field as a JSON Pointer into the body, or as the name of a parameter, with what is wrong."""
    place, *path = problem["loc"]
    if place == "body":
        return {"detail": _detail(problem), "pointer": "#/" + "/".join(map(str, path))}
    return {"detail": _detail(problem), "parameter": str(path[0])}


def _detail(problem: Any) -> str:
    detail: str = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in {"too_long", "too_short"} and isinstance(problem["input"], str):
        return detail.replace(" item", " character")  # pydantic's word, if the bound comes after another validator
    return detail


async def on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    failed = Failure(error.status_code, str(error.detail) or "Error")
    return failure(failed, request.headers, dict(error.headers or {}))
