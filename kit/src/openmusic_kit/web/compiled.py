"""Endpoints compiled once, so that a valid request does not pay for FastAPI's solving of dependencies (ADR 57).

FastAPI reads the endpoint's signature and makes the document. What it found becomes a list of calls here. A request
that is not valid, or an endpoint that needs more than the plain cases below, is handled by FastAPI itself: whatever an
error says, FastAPI has found it.
"""

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from types import NoneType, UnionType
from typing import Any, get_args

from fastapi import Request, Response
from fastapi._compat import ModelField  # what a Dependant is made of has no public name
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.params import Body
from fastapi.routing import APIRoute, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Arguments = dict[str, Any]

_SCALARS = {str, int, float, bool}
_JSON = {"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"}
"""The usual spellings; FastAPI reads the others."""


class _NeedsFastAPI(Exception):
    """The endpoint cannot be compiled, or the request is not valid."""


@dataclass(frozen=True)
class _Call:
    """The endpoint, or what it depends on, with where its arguments come from."""

    function: Callable[..., Coroutine[Any, Any, Any]]
    path: Sequence[ModelField]
    query: Sequence[ModelField]
    body: ModelField | None
    request: str | None
    """The name of the parameter that takes the request; ``response`` likewise."""
    response: str | None
    results: dict[str, int] = field(default_factory=dict)
    """Parameters that take what an earlier call returned, by its position."""

    def read(self, request: Request, body: object) -> Arguments:
        """The arguments that the request itself holds. Raises _NeedsFastAPI if one is missing or not valid."""
        arguments = {each.name: _valid(each, request.path_params.get(each.alias)) for each in self.path}
        if self.query:
            arguments |= _read_query(self.query, request.query_params)
        if self.body:
            arguments[self.body.name] = _valid(self.body, body)
        return arguments


def compile_endpoint(route: APIRoute, fastapi: Handler) -> Handler:
    """Answers as ``fastapi``, the route's own handler, does. That one stays if the endpoint is not plain."""
    if not is_plain(route):
        return fastapi
    calls = _compile(route)
    takes_body = calls[-1].body is not None
    takes_response = any(call.response for call in calls)

    async def handle(request: Request) -> Response:
        try:
            body = await _parse_body(request) if takes_body else None
            arguments = [call.read(request, body) for call in calls]
        except _NeedsFastAPI:
            return await fastapi(request)
        template = _template() if takes_response else None
        results: list[Any] = []
        for call, given in zip(calls, arguments, strict=True):
            given |= {name: results[position] for name, position in call.results.items()}
            if call.request:
                given[call.request] = request
            if call.response:
                given[call.response] = template
            results.append(await call.function(**given))
        result = results[-1]
        return result if isinstance(result, Response) else await _respond(route, result, template)

    return handle


def is_plain(route: APIRoute) -> bool:
    """Whether the route's endpoint can be compiled."""
    try:
        _compile(route)
    except _NeedsFastAPI:
        return False
    return True


def _compile(route: APIRoute) -> list[_Call]:
    """Each call after those that it depends on; the endpoint is the last. Raises _NeedsFastAPI."""
    shaping = (route.response_model_include, route.response_model_exclude, route.response_model_by_alias)
    leaving_out = (
        route.response_model_exclude_unset or route.response_model_exclude_defaults or route.response_model_exclude_none
    )
    _require(shaping == (None, None, True) and not leaving_out)
    _require(route.response_field is not None and isinstance(route.response_class, DefaultPlaceholder))
    calls: list[_Call] = []
    _append(calls, route.dependant, route.body_field)
    return calls


def _append(calls: list[_Call], dependant: Dependant, body: ModelField | None) -> int:
    function = dependant.call
    _require(iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)))  # noqa: B004 - its kind counts
    _require(all(call.function != function for call in calls))  # FastAPI would call it once
    _require(not dependant.header_params and not dependant.cookie_params and dependant.concurrency is None)
    _require(not dependant.http_connection_param_name and not dependant.background_tasks_param_name)
    _require(not dependant.security_scopes_param_name and dependant.body_params == ([body] if body else []))
    _require(body is None or type(body.field_info) is Body)  # and no form
    _require(all(_is_scalar(each) for each in (*dependant.path_params, *dependant.query_params)))
    results = {}
    for each in dependant.dependencies:
        position = _append(calls, each, None)
        if each.name is not None:
            results[each.name] = position
    assert function is not None  # noqa: S101 - required above
    calls.append(
        _Call(
            function,
            dependant.path_params,
            dependant.query_params,
            body,
            dependant.request_param_name,
            dependant.response_param_name,
            results,
        )
    )
    return len(calls) - 1


def _is_scalar(field: ModelField) -> bool:
    info = field.field_info
    kinds = {*get_args(info.annotation)} - {NoneType} if isinstance(info.annotation, UnionType) else {info.annotation}
    return kinds <= _SCALARS and info.validation_alias in (None, field.alias) and not info.validate_default


def _require(plain: bool) -> None:
    if not plain:
        raise _NeedsFastAPI


def _read_query(fields: Sequence[ModelField], query: QueryParams) -> Arguments:
    arguments = {}
    for each in fields:
        value = query.get(each.alias)
        if value is None:
            _require(not each.field_info.is_required())
            arguments[each.name] = each.default
        else:
            arguments[each.name] = _valid(each, value)
    return arguments


def _valid(field: ModelField, value: object) -> object:
    valid, errors = field.validate(value)
    _require(not errors)
    return valid


async def read_body(request: Request) -> bytes:
    try:
        return await request.body()
    except HTTPException:
        raise
    except Exception as error:  # as FastAPI answers it; it could not read the body again
        raise HTTPException(400, "There was an error parsing the body") from error


async def _parse_body(request: Request) -> object:
    """What the body holds, parsed as FastAPI does: pydantic's own JSON parser takes more, and other, texts."""
    body = await read_body(request)
    _require(request.headers.get("content-type", "").lower() in _JSON)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _NeedsFastAPI from error


def _template() -> Response:
    """What calls set headers and a status on, for an answer that is not made yet."""
    template = Response()
    del template.headers["content-length"]
    template.status_code = None  # type: ignore[assignment]  # as FastAPI has it, until a call sets one
    return template


async def _respond(route: APIRoute, result: object, template: Response | None) -> Response:
    """The answer to a result that is no Response."""
    content = await serialize_response(field=route.response_field, response_content=result, dump_json=True)
    status = (template and template.status_code) or route.status_code or 200
    response = Response(content, status, media_type="application/json")
    if not is_body_allowed_for_status_code(status):
        response.body = b""
    if template:
        response.headers.raw.extend(template.headers.raw)
    return response
