"""Makes a Postman collection of the public contract, which Bruno imports as well: ``python contracts/collection.py``.

It registers, logs in, and plays the operations in the order of ``collection_story.py``.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import openapi
from collection_story import LEFT_OUT, STORY, Step

PATH = Path(__file__).parents[1] / "clients" / "openmusic.postman_collection.json"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
DESCRIPTION = """\
Every operation of OpenMusic but the completion of a direct upload, in an order in which all of them succeed: run the
collection as a whole, or request by request. The variable `baseUrl` is the address of the installation. Each run
registers two users of its own. File uploads are relative to the root of the repository: make it the working directory
of Postman.

Made from the OpenAPI document by `make collection`."""
NOT_PLAYED = "Not in the story"
PICTURE = "demo/cover.png"


class Operation(NamedTuple):
    """One of the document, and where it stands there."""

    method: str
    path: str
    told: dict[str, Any]


def collection() -> dict[str, Any]:
    whole = openapi.document()
    known = {
        told["operationId"]: Operation(method.upper(), path, told)
        for path, methods in whole["paths"].items()
        for method, told in methods.items()
        if method not in {"head", "options"}
    }
    played = {step.operation for steps in STORY.values() for step in steps}
    others = [_usual_step(whole, each) for name, each in known.items() if name not in played | LEFT_OUT.keys()]
    chapters = STORY | ({NOT_PLAYED: others} if others else {})
    return {
        "info": {"name": "OpenMusic", "description": DESCRIPTION, "schema": SCHEMA},
        "variable": [{"key": "baseUrl", "value": "http://127.0.0.1:5000"}],
        "item": [
            {"name": chapter, "item": [_request(whole, known[step.operation], step) for step in steps]}
            for chapter, steps in chapters.items()
        ],
    }


def text() -> str:
    return json.dumps(collection(), indent=1, ensure_ascii=False) + "\n"


def _usual_step(whole: dict[str, Any], operation: Operation) -> Step:
    """With a variable for each value that the body needs."""
    keys = sorted(openapi.keys_of_body(whole, operation.told))
    return Step(operation.told["operationId"], {key: f"{{{{{key}}}}}" for key in keys} or None)


def _request(whole: dict[str, Any], operation: Operation, step: Step) -> dict[str, Any]:
    told = operation.told
    status, response = next((status, each) for status, each in told["responses"].items() if status < "300")
    request = {
        "method": operation.method,
        "description": told.get("description", ""),
        "auth": _auth(step.bearer if "security" in told else None),
        "header": _headers(told, step),
        "url": _url(operation, step),
    }
    body = _body(told.get("requestBody", {}).get("content", {}), step)
    after = [
        f'pm.test("is answered with {status}", () => pm.response.to.have.status({status}));',
        *(f'pm.collectionVariables.set("{name}", {value});' for name, value in _saved(whole, response, step).items()),
    ]
    scripts = {"prerequest": list(step.before), "test": after}
    return {
        "name": step.name or told["summary"].capitalize(),
        "event": [{"listen": when, "script": {"exec": lines}} for when, lines in scripts.items() if lines],
        "request": request | ({"body": body} if body else {}),
    }


def _auth(token: str | None) -> dict[str, Any]:
    if token is None:
        return {"type": "noauth"}
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{token}}}}}", "type": "string"}]}


def _headers(told: dict[str, Any], step: Step) -> list[dict[str, str]]:
    """A key with each request that may be repeated, which every run makes new."""
    names = {each["name"] for each in told.get("parameters", []) if each["in"] == "header"}
    keyed = [{"key": "Idempotency-Key", "value": "{{$guid}}"}] if "Idempotency-Key" in names else []
    typed = [{"key": "Content-Type", "value": "application/json"}] if step.body is not None else []
    return [*keyed, *typed]


def _url(operation: Operation, step: Step) -> dict[str, Any]:
    """Query parameters that the step does not use are there, but disabled."""
    parts = [
        f"{{{{{openapi.camel(part[1:-1])}}}}}" if part.startswith("{") else part
        for part in operation.path.split("/")[1:]
    ]
    offered = [each for each in operation.told.get("parameters", []) if each["in"] == "query"]
    query = [
        {
            "key": each["name"],
            "value": step.query.get(each["name"], str(each["schema"].get("default", ""))),
            "disabled": each["name"] not in step.query,
        }
        for each in offered
    ]
    used = "&".join(f"{name}={value}" for name, value in step.query.items())
    raw = "/".join(["{{baseUrl}}", *parts]) + (f"?{used}" if used else "")
    return {"raw": raw, "host": ["{{baseUrl}}"], "path": parts} | ({"query": query} if query else {})


def _body(content: dict[str, Any], step: Step) -> dict[str, Any]:
    if form := content.get("multipart/form-data"):
        files = [{"key": name, "type": "file", "src": PICTURE} for name in form["schema"]["properties"]]
        return {"mode": "formdata", "formdata": files}
    if step.body is None:
        return {}
    raw = json.dumps(step.body, indent=2, ensure_ascii=False)
    return {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}


def _saved(whole: dict[str, Any], response: dict[str, Any], step: Step) -> dict[str, str]:
    if step.saves is not None:
        return step.saves
    keys = openapi.data_keys_of(whole, response)
    return {key: f"pm.response.json().data.{key}" for key in keys if key.endswith(("Id", "Token"))}


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text())
