"""The OpenAPI document of a service: complete, so that whoever reads it knows every answer that can come.

An endpoint declares only what is its own: the errors that its rules raise (:func:`failing`), and what is special about
its success. What follows from the kind of route is added here, in one place, to all of them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from openmusic_kit import errors
from openmusic_kit.idempotency.keys import HEADER, PATTERN, KeyReused
from openmusic_kit.web.entity_tags import ConditionInvalid
from openmusic_kit.web.failures import JSON, PROBLEM, TYPE_PREFIX
from openmusic_kit.web.preferences import COUNT, MAX_COUNT

Document = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

STATUS: dict[type[errors.ServiceError], int] = {
    errors.Invalid: 400,
    errors.Conflict: 400,  # the contract knows no 409
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.Unavailable: 503,
}
"""How each kind of error is answered."""

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")

RETRY_AFTER = {
    "Retry-After": {
        "description": "Whole seconds after which it is worth to ask again",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    }
}
_REQUEST_ID = {
    "X-Request-ID": {
        "description": "Names this request in all logs; the one that the client sent, or a new one",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    }
}
_FROM_CACHE = {
    "X-Data-Source": {
        "description": "There if, and only if, the answer came from a cache",
        "schema": {"type": "string", "const": "cache"},
    }
}
_LINK = {
    "Link": {
        "description": "Leads to the next page (RFC 8288); not there on the last one",
        "schema": {"type": "string", "pattern": '^<[^<>]+>; rel="next"$'},
    }
}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": "Bearer"}}}
_TEXT = {"required": True, "schema": {"type": "string"}}
_COUNT = {"required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}
SHOWN_LIMITS = {
    "RateLimit-Policy": {
        "description": "The limits that count this request: the name of each, q requests in w seconds",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of each: r requests, and all of them in t seconds",
        "schema": {"type": "string"},
    },
}
_RATE_LIMIT = {
    **{name: {**header, "required": True} for name, header in SHOWN_LIMITS.items()},
    "RateLimit-Limit": _COUNT,
    "RateLimit-Remaining": _COUNT,
    "RateLimit-Reset": _COUNT,
}
_OF_STATUS = {401: _CHALLENGE, 429: RETRY_AFTER | _RATE_LIMIT, 502: RETRY_AFTER, 503: RETRY_AFTER, 504: RETRY_AFTER}

CACHED: Responses = {200: {"headers": _FROM_CACHE}}
"""What an endpoint declares whose answer may come from a cache."""

REPEATABLE: dict[str, Any] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "A text of your choice that no other request has, such as a UUID. Within a day, a repeat "
            "with the same key and body gets the first answer, and changes nothing",
            "schema": {"type": "string", "pattern": PATTERN},
        }
    ]
}
"""``openapi_extra``, or a part of it, of an endpoint whose service method is ``repeatable``."""

CONDITIONAL: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": "Entity tags that GET has given: the change is made only if one of them is still right",
            "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'},
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "The change is made only if none of these entity tags is right",
            "schema": {"type": "string"},
        },
    ]
}
"""``openapi_extra`` of an endpoint that takes a ``RequestCondition``."""

TAGGED: Responses = {
    200: {
        "headers": {
            "ETag": {
                "description": "Names the content",
                "required": True,
                "schema": {"type": "string", "pattern": '^"[0-9a-f]{24}(-gzip)?"$'},
            }
        }
    }
}
"""What an endpoint declares whose answer has an entity tag."""

LOCATED: Responses = {201: {"headers": {"Location": {"description": "The path of what was created", **_TEXT}}}}
"""What an endpoint declares that names the path of what it created."""

COUNTED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "description": f"`count=exact` asks for `X-Total-Count`, which a list of up to {MAX_COUNT} items has then",
            "schema": {"type": "string"},
        }
    ]
}
"""``openapi_extra`` of a list that is counted on request."""

_TOTAL = {
    "X-Total-Count": {
        "description": "The number of items on all pages together",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Preference-Applied": {
        "description": "There together with X-Total-Count",
        "schema": {"type": "string", "const": COUNT},
    },
}

PAGED: Responses = {200: {"headers": _LINK | _TOTAL}}
"""What an endpoint declares whose answer is one page of a list."""


def is_repeatable(operation: Mapping[str, Any]) -> bool:
    """Whether the operation, or its ``openapi_extra``, has the parameter of :data:`REPEATABLE`."""
    return REPEATABLE["parameters"][0] in operation.get("parameters", [])


def error_responses(*kinds: type[errors.ServiceError]) -> Responses:
    """What an endpoint declares whose rules raise these errors."""
    messages: dict[int, list[str]] = {}
    for kind in kinds:
        messages.setdefault(status_of(kind), []).append(kind.message)
    return {status: {"description": "; or ".join(each)} for status, each in messages.items()}


def status_of(kind: type[errors.ServiceError]) -> int:
    return next((STATUS[base] for base in kind.__mro__ if base in STATUS), 500)


def failure(status: int, description: str) -> dict[str, Any]:
    """A failure in both of its shapes, with the headers that its status demands."""
    schema = {"$ref": "#/components/schemas/" + ("Fail" if status < 500 else "Error")}
    return {
        "description": description,
        "headers": _REQUEST_ID | _OF_STATUS.get(status, {}),
        "content": {JSON: {"schema": schema}, PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def completed(document: Document) -> Document:
    """What FastAPI generates, with all that it cannot know; nothing that is never answered is left in it."""
    for method, operation in operations(document):
        _complete(operation)
        if method == "head":
            for answer in operation["responses"].values():
                answer.pop("content", None)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for name in _used_by_answers(document):
        _close(schemas[name])
    schemas |= {"Fail": _failure_schema("fail"), "Error": _failure_schema("error"), "Problem": PROBLEM_SCHEMA}
    whole: Document = _whole_numbers(document)
    return whole


def operations(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each with its method."""
    for path in document["paths"].values():
        yield from ((method, path[method]) for method in METHODS if method in path)


def _complete(operation: dict[str, Any]) -> None:
    declared = operation.pop("responses")
    parameters = operation.get("parameters", [])
    conditional = CONDITIONAL["parameters"][0] in parameters
    refused = [
        *([KeyReused.message] if is_repeatable(operation) else []),
        *([ConditionInvalid.message] if conditional else []),
    ]
    takes = "requestBody" in operation or any(each["in"] == "query" for each in parameters)
    known = {
        500: "Something went wrong on our side",
        503: errors.Unavailable.message,
        **({400: "; or ".join([errors.Invalid.message, *refused])} if takes or refused else {}),
        **({401: errors.Unauthenticated.message} if "security" in operation else {}),
        **({412: errors.PreconditionFailed.message} if conditional else {}),
        **({413: errors.TooLarge.message} if "requestBody" in operation else {}),
    }
    answers = {str(status): failure(status, description) for status, description in known.items()}
    for status, answer in declared.items():
        if status == "422":
            continue  # what FastAPI would answer to an invalid request, if it were not 400 here
        if int(status) >= 400:
            others = [*([known[400]] if takes else []), *refused] if status == "400" else []
            reasons = dict.fromkeys([answer["description"], *others])
            answers[status] = failure(int(status), "; or ".join(reasons))
        else:
            answers[status] = answer | {"headers": _REQUEST_ID | answer.get("headers", {})}
    operation["responses"] = dict(sorted(answers.items()))


def _used_by_answers(document: Document) -> set[str]:
    schemas = document["components"]["schemas"]
    found: set[str] = set()
    waiting = [each.get("content") for _, operation in operations(document) for each in operation["responses"].values()]
    while waiting:
        for name in _references(waiting.pop()) - found - {"Fail", "Error", "Problem"}:
            found.add(name)
            waiting.append(schemas[name])
    return found


def _references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"].rpartition("/")[2]} if "$ref" in part else set()
        return own.union(*map(_references, part.values()))
    return set().union(*map(_references, part)) if isinstance(part, list) else set()


def _close(schema: dict[str, Any]) -> None:
    """An answer has these keys and no others."""
    if schema.get("type") == "object" and "properties" in schema:
        schema["additionalProperties"] = False


def _failure_schema(status: str) -> dict[str, Any]:
    meaning = "What the client can mend" if status == "fail" else "What the client cannot mend"
    more = {"data": _DATA} if status == "fail" else {}
    return {
        "type": "object",
        "description": meaning,
        "required": ["status", "message"],
        "properties": {
            "status": {"type": "string", "const": status},
            "message": {"type": "string", "minLength": 1},
            **more,
        },
        "additionalProperties": False,
    }


_STRING = {"type": "string", "minLength": 1}
_DATA = {"type": "object", "description": "What else a program may need, in some failures"}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A failure for a client that names application/problem+json in Accept (RFC 9457)",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "pattern": f"^{TYPE_PREFIX}[a-z_]+$"},
        "title": _STRING | {"description": "The same for each failure with this code"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _STRING | {"description": "What went wrong this time, for a person"},
        "code": {"type": "string", "pattern": "^[a-z_]+$", "description": "What went wrong, for a program"},
        "errors": {
            "type": "array",
            "minItems": 1,
            "description": "What is wrong with each field of a request that is not valid",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": _STRING,
                    "pointer": {"type": "string", "description": "A field of the body, as a JSON Pointer"},
                    "parameter": {"type": "string", "description": "A parameter of the path or the query"},
                },
                "additionalProperties": False,
            },
        },
        "data": _DATA,
    },
    "additionalProperties": False,
}


def _whole_numbers(part: Any) -> Any:
    """The same without the fractions that FastAPI gives to whole limits."""
    if isinstance(part, dict):
        return {name: _whole_numbers(each) for name, each in part.items()}
    if isinstance(part, list):
        return [_whole_numbers(each) for each in part]
    return int(part) if isinstance(part, float) and part.is_integer() else part
