"""The two shapes of a failure, and who gets which."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from openmusic_kit.errors import Conflict, ServiceError
from openmusic_kit.resources import Resources
from openmusic_kit.settings import ServiceSettings
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.failures import Failure, wants_problem
from openmusic_kit.web.negotiation import qualities
from openmusic_kit.web.schemas import Int32, MessageResponse, WireModel
from openmusic_testkit.serving import client_of

PROBLEM = {"Accept": "application/problem+json"}
router = APIRouter()


class AlreadyTaken(Conflict):
    message = "Taken"


class Size(WireModel):
    width: Int32


class Payload(WireModel):
    name: str
    sizes: list[Size]


@router.post("/things/{number}")
async def add(payload: Payload, number: int, limit: int = 1) -> MessageResponse:
    return MessageResponse(message=f"{payload.name} {number} {limit}")


@router.get("/fails/{how}")
async def fail(how: str) -> MessageResponse:
    raise AlreadyTaken(how) if how != "badly" else RuntimeError("secret")


async def _start(_: FastAPI, __: Resources) -> None:
    """Nothing to open."""


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    settings = ServiceSettings(port=1, service_credential="shared")
    async with client_of(create_service_app("test", settings, start=_start, routers=[router])) as client:
        yield client


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("application/problem+json", True),
        ("Application/Problem+JSON; charset=utf-8", True),
        ("text/html, application/problem+json;q=0.1", True),
        ("application/json, application/problem+json", True),
        ("application/json, application/problem+json;q=0.9", False),
        ("application/json;q=0.5, application/problem+json;q=0.5", True),
        ("application/problem+json;q=0", False),
        ("application/problem+json;q=2", False),
        ("application/problem+json;q=nan", False),
        ("application/problem+xml", False),
    ],
)
def test_only_a_client_that_names_problems_gets_them(accept: str, wanted: bool) -> None:
    assert wants_problem(accept) is wanted


def test_each_value_has_its_quality() -> None:
    expected = {"gzip": 0.0, "br": 0.125, "*": 1.0}
    assert qualities("GZIP;q=0, br ; q=0.125,, *") == expected


async def test_a_failure_has_the_shape_of_the_contract_unless_asked_otherwise(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/often")

    assert answer.content == b'{"status":"fail","message":"often"}'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"


async def test_a_problem_has_a_code_that_is_the_name_of_its_error(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/often", headers=PROBLEM)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["vary"] == "Accept"
    assert answer.json() == {
        "type": "urn:openmusic:problem:already_taken",
        "title": "Already taken",
        "status": 400,
        "detail": "often",
        "code": "already_taken",
    }


async def test_a_problem_names_each_field_that_is_wrong(client: httpx.AsyncClient) -> None:
    payload = {"name": 1, "sizes": [{"width": 1}, {"width": "x"}]}
    answer = await client.post("/things/x?limit=y", json=payload, headers=PROBLEM)

    problem = answer.json()
    places = [error.get("pointer") or error["parameter"] for error in problem["errors"]]
    assert sorted(places) == ["#/name", "#/sizes/1/width", "limit", "number"]
    assert all(error["detail"] for error in problem["errors"])
    assert (problem["code"], answer.status_code) == ("invalid", 400)


@pytest.mark.parametrize("body", ["{", "[]", ""])
async def test_a_body_that_is_no_object_has_no_wrong_field(client: httpx.AsyncClient, body: str) -> None:
    answer = await client.post("/things/1", content=body, headers={**PROBLEM, "Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json().keys() == {"type", "title", "status", "detail", "code"}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/fails/badly", "internal_error"),
        ("GET", "/nowhere", "route_not_found"),
        ("PUT", "/fails/x", "method_not_allowed"),
    ],
)
async def test_what_no_service_raises_has_a_code_by_its_status(
    client: httpx.AsyncClient, method: str, path: str, code: str
) -> None:
    answer = await client.request(method, path, headers=PROBLEM)

    assert answer.json()["code"] == code
    assert "secret" not in answer.text


def test_an_error_may_have_a_code_that_is_not_its_name() -> None:
    class Odd(ServiceError):
        code = "even"

    class Odder(Odd):
        pass

    assert (Odd.code, Odder.code) == ("even", "odder")
    assert Failure(418, "x").render("application/problem+json")[1]["code"] == "failed"
