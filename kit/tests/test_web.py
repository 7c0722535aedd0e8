import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import ValidationError

from openmusic_kit.errors import Conflict, Forbidden, Unauthenticated, Unavailable
from openmusic_kit.resources import Resources
from openmusic_kit.settings import ServiceSettings
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.health import HardCheck, Health, SoftCheck
from openmusic_kit.web.openapi import error_responses
from openmusic_kit.web.routes import CurrentUser, InternalRoute, ProtectedRoute
from openmusic_kit.web.schemas import Int32, MessageResponse, Text, WireModel
from openmusic_testkit.serving import client_of
from openmusic_testkit.tokens import OneUser

router = APIRouter()
protected = APIRouter(prefix="/mine", route_class=ProtectedRoute)
internal = APIRouter(prefix="/internal", route_class=InternalRoute)


class Payload(WireModel):
    name: Text
    size: Int32


class Taken(Conflict):
    message = "Taken"


@router.post("/things")
async def add(payload: Payload) -> MessageResponse:
    return MessageResponse(message=payload.name)


@router.get("/fails/{how}", responses=error_responses(Taken, Forbidden))
async def fail(how: str) -> MessageResponse:
    raise {"taken": Taken(), "forbidden": Forbidden(), "later": Unavailable(retry_after=7)}.get(
        how, RuntimeError("secret")
    )


@protected.post("")
async def add_mine(payload: Payload, user_id: CurrentUser) -> MessageResponse:
    return MessageResponse(message=f"{user_id}: {payload.name}")


@internal.get("")
async def inside() -> MessageResponse:
    return MessageResponse(message="inside")


async def _start(_: FastAPI, __: Resources) -> None:
    """Nothing to open."""


async def _down() -> None:
    raise ConnectionError


async def _up() -> None:
    pass


@pytest.fixture
def checks() -> dict[str, HardCheck | SoftCheck]:
    return {"database": HardCheck(_up), "cache": SoftCheck(_up)}


@pytest.fixture
async def client(checks: dict[str, HardCheck | SoftCheck]) -> AsyncIterator[httpx.AsyncClient]:
    settings = ServiceSettings(port=1, service_credential="shared", body_limit=1000)
    routers, limits = [router, protected, internal], {"/mine": 2000}
    app = create_service_app("test", settings, start=_start, routers=routers, body_limits=limits)
    app.state.token_verifier = OneUser(Unauthenticated)
    app.state.health = Health(checks)
    async with client_of(app) as client:
        yield client


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        '{"name": 1, "size": 1}',
        '{"name": "x"}',
        '{"name": "x", "size": 1.5}',
        "[" * 100_0,
    ],
)
async def test_a_body_that_makes_no_sense_is_400_in_the_one_shape(client: httpx.AsyncClient, body: str) -> None:
    answer = await client.post("/things", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json().keys() == {"status", "message"}
    assert answer.json()["status"] == "fail"
    assert answer.json()["message"]


@pytest.mark.parametrize(("path", "size", "status"), [("/things", 1000, 400), ("/things", 1001, 413)])
@pytest.mark.parametrize("more", [0, 1000])
async def test_a_path_may_have_a_larger_body_than_others(
    client: httpx.AsyncClient, path: str, size: int, status: int, more: int
) -> None:
    if more:
        path, size = "/mine", size + more
    headers = {"Content-Type": "application/json", "Authorization": "Bearer good"}
    answer = await client.post(path, content=b"x" * size, headers=headers)
    assert answer.status_code == status
    assert status == 400 or answer.json()["message"].endswith(f"at most {size - 1} bytes")


@pytest.mark.parametrize(("written", "status"), [("2008.0", 200), ("2e3", 200), ("2008.5", 400), ("1e300", 400)])
async def test_a_whole_number_may_be_written_with_a_fraction_of_zero(
    client: httpx.AsyncClient, written: str, status: int
) -> None:
    content = f'{{"name": "x", "size": {written}}}'
    answer = await client.post("/things", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == status


def test_the_document_names_each_answer_and_none_that_is_never_given() -> None:
    app = create_service_app(
        "test",
        ServiceSettings(port=1),
        start=_start,
        routers=(router, protected, internal),
    )
    document = app.openapi()

    statuses = {
        f"{method} {path}": list(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert statuses["post /things"] == ["200", "400", "413", "500", "503"]
    assert statuses["get /fails/{how}"] == ["200", "400", "403", "500", "503"]
    assert statuses["post /mine"] == ["200", "400", "401", "413", "500", "503"]
    assert document["paths"]["/fails/{how}"]["get"]["responses"]["400"]["description"] == "Taken"
    assert "security" not in document["paths"]["/things"]["post"]
    assert document["paths"]["/mine"]["post"]["security"] == [{"accessToken": []}]
    assert document["components"]["schemas"]["MessageResponse"]["required"] == ["status", "message"]
    assert document["components"]["schemas"]["MessageResponse"]["additionalProperties"] is False
    assert "additionalProperties" not in document["components"]["schemas"]["Payload"]


@pytest.mark.parametrize("text", ["x", " x", "x\n", "\u3000", "\x1c", "\x85", "\ufeff", "a\0", "\0", " ", "\n\n", "é"])
def test_the_documented_pattern_of_a_text_says_what_is_demanded_of_it(text: str) -> None:
    pattern = Payload.model_json_schema()["properties"]["name"]["pattern"]
    try:
        Payload(name=text, size=1)
    except ValidationError:
        assert re.search(pattern, text) is None
    else:
        assert re.search(pattern, text) is not None


async def test_unknown_keys_are_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.post("/things", json={"name": "x", "size": 1, "more": []})).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(client: httpx.AsyncClient, chunked: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 500

    answer = await client.post(
        "/things", content=chunks() if chunked else b"x" * 1500, headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json()["status"]) == (413, "fail")


async def test_who_is_asking_comes_before_what_they_ask(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer bad"}):
        assert (await client.post("/mine", content=b"{", headers=headers)).status_code == 401
    good = {"Authorization": "Bearer good"}
    assert (await client.post("/mine", content=b"{", headers=good)).status_code == 400
    answer = await client.post("/mine", json={"name": "x", "size": 1}, headers=good)
    assert answer.json()["message"] == "user-1: x"


async def test_internal_routes_need_the_shared_credential(client: httpx.AsyncClient) -> None:
    assert (await client.get("/internal")).status_code == 401
    assert (await client.get("/internal", headers={"X-Service-Credential": "guess"})).status_code == 401
    assert (await client.get("/internal", headers={"X-Service-Credential": "shared"})).status_code == 200


@pytest.mark.parametrize(
    ("how", "status", "word", "message"),
    [
        ("taken", 400, "fail", "Taken"),
        ("forbidden", 403, "fail", "You are not allowed to do this"),
        ("later", 503, "error", "A part that this needs is not available at the moment"),
        ("boom", 500, "error", "Something went wrong on our side"),
    ],
)
async def test_every_error_has_its_status_and_nothing_leaks(
    client: httpx.AsyncClient, how: str, status: int, word: str, message: str
) -> None:
    answer = await client.get(f"/fails/{how}", headers={"X-Request-ID": "abc"})

    assert answer.status_code == status
    assert answer.json() == {"status": word, "message": message}
    assert answer.headers["X-Request-ID"] == "abc"
    assert answer.headers.get("Retry-After") == ("7" if how == "later" else None)


async def test_unknown_routes_and_methods_have_the_one_shape(client: httpx.AsyncClient) -> None:
    for method, path, status in [("GET", "/nowhere", 404), ("PATCH", "/things", 405), ("POST", "/things/", 404)]:
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, "fail")


@pytest.mark.parametrize("given", ["bad id", "x" * 65, "é", ""])
async def test_a_request_id_that_could_spoil_a_log_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/nowhere", headers={"X-Request-ID": given.encode()})  # type: ignore[dict-item]

    assert answer.headers["X-Request-ID"] not in {"", given}


async def test_ready_names_what_is_missing_but_refuses_only_for_what_is_needed(
    client: httpx.AsyncClient, checks: dict[str, Any]
) -> None:
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/health/ready")).status_code == 200

    checks["cache"] = SoftCheck(_down)
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["data"]["dependencies"] == {"database": "up", "cache": "down"}

    checks["database"] = HardCheck(_down)
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert "database" in answer.json()["message"]


def test_a_default_secret_is_refused_in_production() -> None:
    with pytest.raises(ValidationError, match="SERVICE_CREDENTIAL"):
        ServiceSettings(port=1, environment="production")
    assert ServiceSettings(port=1, environment="production", service_credential="of its own")
