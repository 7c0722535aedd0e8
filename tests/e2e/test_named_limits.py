"""A refusal names the limit that it enforces: each bound in the document, and the sizes of what is sent."""

import re
from collections.abc import Iterator
from typing import Any

ELSEWHERE = ("/docs", "/openapi.json", "/asyncapi.json", "/health", "/version")


def beyond(schema: dict[str, Any]) -> Iterator[tuple[Any, int, str]]:
    """Values just outside each bound of the schema, with the bound and its unit."""
    for part in schema.get("anyOf", []):
        yield from beyond(part)
    if schema.get("maxLength", 0) > 0:
        yield "x" * (schema["maxLength"] + 1), schema["maxLength"], "character"
    if schema.get("minLength", 0) > 1:
        yield "x" * (schema["minLength"] - 1), schema["minLength"], "character"
    if "maximum" in schema:
        yield schema["maximum"] + 1, schema["maximum"], ""
    if "minimum" in schema:
        yield schema["minimum"] - 1, schema["minimum"], ""
    if "maxItems" in schema:
        yield [str(number) for number in range(schema["maxItems"] + 1)], schema["maxItems"], "item"
    if "minItems" in schema:
        yield [], schema["minItems"], "item"


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def bodies(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The properties of each body that the operation takes."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    whole = resolved(document, content["schema"]) if content else {}
    for schema in [whole, *(resolved(document, part) for part in whole.get("anyOf", []))]:
        yield schema.get("properties", {})


def test_each_bound_in_the_document_is_named_when_it_is_enforced(client: Any, alice: Any) -> None:
    document = client.http.get("/openapi.json").json()
    seen = 0
    for path, methods in document["paths"].items():
        if path.startswith(ELSEWHERE):
            continue
        for method in {"get", "post", "put", "patch", "delete"} & methods.keys():
            operation, headers = methods[method], alice.headers
            address = path.replace("{", "").replace("}", "")
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "query":
                    continue
                for value, bound, unit in beyond(parameter["schema"]):
                    answer = client.http.request(
                        method.upper(), address, params={parameter["name"]: value}, headers=headers
                    )
                    require_named(answer, parameter["name"], bound, unit)
                    seen += 1
            for properties in bodies(document, operation):
                for name, schema in properties.items():
                    for value, bound, unit in beyond(schema):
                        answer = client.http.request(method.upper(), address, json={name: value}, headers=headers)
                        require_named(answer, name, bound, unit)
                        seen += 1
    assert seen > 40, "the document names bounds"


def require_named(answer: Any, name: str, bound: int, unit: str) -> None:
    assert answer.status_code == 400, (name, answer.text)
    reasons = [each for each in answer.json()["message"].split("; ") if name in each.partition(":")[0]]
    assert any(str(bound) in reason and unit in reason for reason in reasons), (name, bound, answer.text)


def test_sizes_are_named(client: Any) -> None:
    covers = f"/albums/{client.album()}/covers"
    sizes = {"body": b"{" + b" " * 8_000_000, "cover": b"x" * 512_001}
    json = {"content-type": "application/json"}
    refusals = (
        (client.http.post("/albums", content=sizes["body"], headers=json), 413, r"\d bytes"),
        (client.http.post(covers, files={"cover": ("a.png", sizes["cover"], "image/png")}), 413, "512000 bytes"),
        (client.http.post(covers, files={f"field{number}": (None, "x") for number in range(21)}), 400, "20 fields"),
        (client.call("GET", "/songs", headers={"X-Long": "x" * 60_000}), 431, r"\d bytes"),
        (client.call("GET", "/songs", headers={f"X-{number}": "x" for number in range(101)}), 431, "100"),
    )

    for answer, status, named in refusals:
        assert answer.status_code == status, answer.text
        assert re.search(named, answer.json()["message"])
