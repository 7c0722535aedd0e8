"""Makes the document of the public contract from what the services say of themselves: ``python contracts/openapi.py``.

The gateway's part is added here: what it answers itself, to whom it gives an answer from memory, and which services'
routes are public at all. It serves the outcome, ``gateway/src/openmusic_gateway/openapi.json``, as it is.
"""

import copy
import importlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from openmusic_gateway import responses
from openmusic_gateway.routes import ROUTES, Route
from openmusic_kit.errors import PreconditionFailed
from openmusic_kit.version import VERSION
from openmusic_kit.web.openapi import CACHED, RETRY_AFTER, SHOWN_LIMITS, TAGGED, failure, operations
from openmusic_kit.web.schemas import MessageResponse
from openmusic_operations.system import SERVICES

PATH = Path(__file__).parents[1] / "gateway" / "src" / "openmusic_gateway" / "openapi.json"
DESCRIPTION = """\
Albums, songs and likes, private playlists that friends edit together, covers, and exports by mail.

Every failure has one shape: `fail` for what the client can correct (4xx), `error` for what it cannot (5xx). A path
that is not listed is answered with 404, a method that is not listed with 405 and `Allow`. What is not HTTP, or comes
too slowly to become a request, gets 400, 408 or 431 in the same shape, and no `X-Request-ID`. Unknown keys of a body
are ignored; a protected operation looks at the token before it looks at anything else.

After 502, 503 or 504 to a POST, send it again with the same `Idempotency-Key`: it is carried out once, and the repeat
gets the first answer. Other methods can be repeated as they are, but for one with `If-Match`: 412 may then mean that
the first request was carried out.

The `ETag` of a response to GET, sent back as `If-Match`, makes a change of the same thing depend on it: if anybody has
changed the thing meanwhile, the answer is 412, and nothing is changed."""

Document = dict[str, Any]
LIMITS = {name: {"$ref": f"#/components/headers/{name}"} for name in SHOWN_LIMITS}
"""On each response to a request that a limit counts: not on one from the edge cache, or that is refused before."""


def document() -> Document:
    """The whole of it."""
    services = {service: _described(service) for service in SERVICES}
    whole: Document = {
        "openapi": "3.1.0",
        "info": {"title": "OpenMusic", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": {},
        "components": {"schemas": {}, "responses": {}, "headers": SHOWN_LIMITS, "securitySchemes": {}},
    }
    renamed = {service: _take_components(whole, service, each) for service, each in services.items()}
    for route in ROUTES:
        path, operation = _find(services[route.service], route)
        operation = _with_references(operation, renamed[route.service])
        _add_what_the_gateway_does(operation, route)
        whole["paths"].setdefault(path, {})[route.method.lower()] = operation
    _add_own_routes(whole)
    _add_links(whole)
    for path, methods in whole["paths"].items():
        _add_head(methods)
        _add_options(path, methods)
    _share_answers(whole)
    return whole


def text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _described(service: str) -> Document:
    module = importlib.import_module(f"openmusic_{service}.app")
    return copy.deepcopy(module.create_app().openapi())


def _take_components(whole: Document, service: str, part: Document) -> dict[str, str]:
    """Their new names: two services may call different things the same."""
    renamed: dict[str, str] = {}
    taken = whole["components"]["schemas"]
    for name, schema in part["components"]["schemas"].items():
        free = taken.get(name, schema) == schema
        renamed[name] = name if free else service.capitalize() + name
    for name, schema in part["components"]["schemas"].items():
        titled = schema if renamed[name] == name else schema | {"title": renamed[name]}  # generators name types by it
        taken[renamed[name]] = _with_references(titled, renamed)
    whole["components"]["securitySchemes"] |= part["components"].get("securitySchemes", {})
    return renamed


def _with_references(part: Any, renamed: dict[str, str]) -> Any:
    if isinstance(part, dict):
        return {
            key: f"#/components/schemas/{renamed[each.rpartition('/')[2]]}"
            if key == "$ref"
            else _with_references(each, renamed)
            for key, each in part.items()
        }
    return [_with_references(each, renamed) for each in part] if isinstance(part, list) else part


def _find(part: Document, route: Route) -> tuple[str, dict[str, Any]]:
    """The path as the service names its parts, and what it says of the operation."""
    for path, methods in part["paths"].items():
        if _shape(path) == _shape(route.pattern) and route.method.lower() in methods:
            return path, methods[route.method.lower()]
    raise LookupError(f"the {route.service} service says nothing of {route.method} {route.pattern}")


def _shape(path: str) -> list[str]:
    return ["{}" if part.startswith("{") else part for part in path.split("/")]


def _add_what_the_gateway_does(operation: dict[str, Any], route: Route) -> None:
    if route.protected != ("security" in operation):
        raise ValueError(f"gateway and service disagree on whether {route.method} {route.pattern} is protected")
    added = {
        429: "Too many requests, or failures; the message names the limit",
        431: responses.HEADERS_TOO_LARGE,
        502: "The service returned no valid response",
    }
    added[504] = "The service took too long"
    if "requestBody" in operation:
        added[408] = responses.BODY_TOO_SLOW
    said = operation["responses"]
    said |= {str(status): failure(status, description) for status, description in added.items()}
    for status, answer in said.items():
        if status != "429":
            answer["headers"] = LIMITS | answer.get("headers", {})
    if route.method == "HEAD":
        for answer in said.values():
            answer.pop("content", None)
    if route.cacheable:
        _add_the_edge(operation)
    _add_conditions(operation)
    operation["responses"] = dict(sorted(said.items()))


def _add_the_edge(operation: dict[str, Any]) -> None:
    encoding = {"Content-Encoding": {"description": "Of a large body", "schema": {"type": "string", "const": "gzip"}}}
    operation["responses"]["200"]["headers"] |= TAGGED[200]["headers"] | encoding | CACHED[200]["headers"]


def _add_conditions(operation: dict[str, Any]) -> None:
    """On a read whose service leaves them to the gateway."""
    said = operation["responses"]
    headers = said.get("200", {}).get("headers", {})
    if "ETag" not in headers or "304" in said:
        return
    said["304"] = {"description": "The client has this version already", "headers": headers}
    said["412"] = failure(412, PreconditionFailed.message)
    conditions = {
        "If-None-Match": "The entity tag that the client has",
        "If-Match": "The entity tag of what the client wants to read, and of nothing newer",
    }
    operation.setdefault("parameters", []).extend(
        {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
        for name, description in conditions.items()
    )


def _data(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of a success whose data has these properties, all of them required."""
    data = {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}
    success = {"status": {"const": "success"}, "data": data}
    return {"type": "object", "required": ["status", "data"], "properties": success, "additionalProperties": False}


def _add_own_routes(whole: Document) -> None:
    states = {"type": "object", "additionalProperties": {"type": "string", "enum": ["up", "down"]}}
    dependencies = {"type": "object", "required": ["dependencies"], "properties": {"dependencies": states}}
    ready = {"type": "object", "required": ["status", "data"], "additionalProperties": False}
    ready["properties"] = {"status": {"const": "success"}, "data": dependencies}
    missing = {"type": "object", "required": ["status", "message", "data"], "additionalProperties": False}
    missing["properties"] = {"status": {"const": "error"}, "message": {"type": "string"}, "data": dependencies}
    named = {"name": {"type": "string"}, "version": {"type": "string"}}
    links = {"type": "object", "additionalProperties": {"type": "string"}}
    overview = named | {
        "state": {"type": "string", "enum": ["ready", "degraded", "down"]},
        "unavailable": {"type": "array", "items": {"type": "string"}},
        "links": links,
    }
    identified = failure(500, "")["headers"]
    done = {"$ref": f"#/components/schemas/{MessageResponse.__name__}"}
    for path, operation_id, summary, said in (
        ("/", "get_overview", "What runs here, how it is, and where to go", {200: ("What runs", _data(overview))}),
        ("/version", "get_version", "Which release runs here", {200: ("The release", _data(named))}),
        ("/openapi.json", "get_document", "This document", {200: ("The document", {"type": "object"})}),
        ("/asyncapi.json", "get_events", "The events between services", {200: ("AsyncAPI 3", {"type": "object"})}),
        ("/health/live", "get_liveness", "Whether the gateway runs", {200: ("It runs", done)}),
        (
            "/health/ready",
            "get_readiness",
            "Whether the gateway can serve",
            {200: ("It can", ready), 503: ("It misses what it cannot work without", missing)},
        ),
    ):
        responses: dict[str, Any] = {
            str(status): {
                "description": description,
                "headers": identified | (RETRY_AFTER if status == 503 else {}),
                "content": {"application/json": {"schema": schema}},
            }
            for status, (description, schema) in said.items()
        }
        whole["paths"][path] = {
            "get": {"tags": ["gateway"], "summary": summary, "operationId": operation_id, "responses": responses}
        }


def _add_head(methods: dict[str, Any]) -> None:
    """What GET answers, without its content."""
    if "get" not in methods or "head" in methods:
        return
    head = copy.deepcopy(methods["get"])
    head["operationId"] += "_headers"
    for answer in head["responses"].values():
        answer.pop("content", None)
    methods["head"] = head


def _add_options(path: str, methods: dict[str, Any]) -> None:
    """What may be asked of the path; anybody may know."""
    first = next(iter(methods.values()))
    parts = [re.sub(r"[.-]", "_", part.strip("{}.")) for part in path.split("/") if part]
    allow = {"Allow": {"description": "The methods of this path", "required": True, "schema": {"type": "string"}}}
    told = {"description": "There is such a path", "headers": failure(500, "")["headers"] | allow}
    refused = {404: responses.NOT_FOUND, 431: responses.HEADERS_TOO_LARGE}
    methods["options"] = {
        "tags": first["tags"],
        "summary": "The methods of this path",
        "operationId": "_".join(["options", *parts]),
        "parameters": [each for each in first.get("parameters", []) if each["in"] == "path"],
        "responses": {"204": told} | {str(status): failure(status, said) for status, said in refused.items()},
    }


def _add_links(whole: Document) -> None:
    """What was created leads to all that can be done with it."""
    targets = [operation for _, operation in operations(whole)]
    for _, operation in operations(whole):
        created = operation["responses"].get("201", {})
        given = data_keys_of(whole, created)
        links = {target["operationId"]: _link(whole, target, given) for target in targets if target is not operation}
        if found := {name: link for name, link in links.items() if link}:
            created["links"] = found


def data_keys_of(whole: Document, answer: dict[str, Any]) -> list[str]:
    """The keys of its ``data``."""
    content = answer.get("content", {}).get("application/json")
    if content is None:
        return []
    data = _resolved(whole, content["schema"]).get("properties", {}).get("data", {})
    return list(_resolved(whole, data).get("properties", {}))


def _link(whole: Document, target: dict[str, Any], given: list[str]) -> dict[str, Any]:
    link: dict[str, Any] = {}
    for parameter in target.get("parameters", []):
        key = camel(parameter["name"])
        if parameter["in"] == "path" and key in given:
            link.setdefault("parameters", {})[parameter["name"]] = f"$response.body#/data/{key}"
    wanted = keys_of_body(whole, target)
    if wanted and wanted <= set(given):
        link["requestBody"] = {key: f"$response.body#/data/{key}" for key in sorted(wanted)}
    return {"operationId": target["operationId"], **link} if link else {}


def keys_of_body(whole: Document, operation: dict[str, Any]) -> set[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return set(_resolved(whole, content["schema"]).get("required", [])) if content else set()


def _resolved(whole: Document, schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema
    if "$ref" in schema:
        found = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _share_answers(whole: Document) -> None:
    """Answers that many operations have in common are written down once."""
    counted = Counter(json.dumps(answer) for _, answer in _failures(whole))
    shared: dict[str, str] = {}
    for answer, count in counted.most_common():
        status = next(status for status, each in _failures(whole) if json.dumps(each) == answer)
        name = _name(status) + ("" if "content" in json.loads(answer) else "WithoutContent")
        if count > 1 and name not in shared.values():
            shared[answer] = name
    for answer, name in sorted(shared.items(), key=itemgetter(1)):
        whole["components"]["responses"][name] = json.loads(answer)
    for _, operation in operations(whole):
        for status, answer in operation["responses"].items():
            if reference := shared.get(json.dumps(answer)):
                operation["responses"][status] = {"$ref": f"#/components/responses/{reference}"}


def _failures(whole: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, operation in operations(whole):
        yield from ((status, answer) for status, answer in operation["responses"].items() if int(status) >= 400)


def _name(status: str) -> str:
    """By number: what Python calls a status is not the same in each version (413 got its new name in 3.13)."""
    return f"Failure{status}"


if __name__ == "__main__":
    PATH.write_text(text())
