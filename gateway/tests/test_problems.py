"""What the gateway refuses itself, as a problem (RFC 9457) for clients that ask for one."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from openmusic_testkit import plain_http

PROBLEM = {"Accept": "application/problem+json"}


def problem_of(answer: httpx.Response) -> Any:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:openmusic:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/playlists", {}, 401, "unauthenticated"),
        ("GET", "/nowhere", {}, 404, "route_not_found"),
        ("GET", "/docs/nowhere", {}, 404, "route_not_found"),
        ("PATCH", "/songs", {}, 405, "method_not_allowed"),
        ("POST", "/songs", {}, 413, "too_large"),
        ("GET", "/songs", {f"X-{number}": "" for number in range(101)}, 431, "headers_too_large"),
        ("GET", "/songs/slow", {}, 504, "gateway_timeout"),
    ],
)
def test_the_gateway_s_own_failures_are_problems_for_those_who_ask(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    content = b"x" * 2_000_000 if status == 413 else b""
    answer = client.request(method, path, headers={**PROBLEM, **headers}, content=content)

    assert answer.status_code == status
    assert problem_of(answer)["code"] == code
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


def test_without_such_an_accept_they_stay_as_they_are(client: httpx.Client) -> None:
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = client.get("/nowhere", headers=headers)
        assert answer.content == b'{"status": "fail", "message": "There is no such route"}'
        assert answer.headers["content-type"] == "application/json"


def test_several_accept_fields_count_as_one(client: httpx.Client) -> None:
    fields = [("Accept", "application/problem+json;q=0.5"), ("Accept", "application/json")]

    assert client.get("/nowhere", headers=fields).headers["content-type"] == "application/json"
    assert client.get("/nowhere", headers=fields[:1]).headers["content-type"] == "application/problem+json"


def test_a_service_that_is_away_is_a_problem(start_gateway: Any, unused_port: Callable[[], int]) -> None:
    with (
        start_gateway(catalog_url=f"http://127.0.0.1:{unused_port()}") as (url, _),
        plain_http.Client(base_url=url) as client,
    ):
        answer = client.get("/songs", headers=PROBLEM)

    assert problem_of(answer)["code"] == "unavailable"
    assert answer.headers["retry-after"] == "1"
