"""What browsers are told: to trust nothing on any answer, and which pages of other origins may read it."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import ValidationError

from openmusic_gateway.settings import Settings
from openmusic_testkit import plain_http

PAGE = "https://music.example"
EVERYWHERE = ("auth", "catalog", "playlist", "media", "export")
SECURITY = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


@pytest.fixture(scope="module")
def open_to_a_page(start_gateway: Any, service_url: Any) -> Iterator[httpx.Client]:
    urls = {f"{name}_url": service_url[1] for name in EVERYWHERE}
    settings = {**urls, "cors_origins": f"{PAGE}, http://localhost:3000", "hsts_age": 600}
    with start_gateway(**settings) as (url, _), plain_http.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/songs", 200),
        ("GET", "/covers/a/b.png", 200),
        ("POST", "/authentications", 200),
        ("GET", "/health/live", 200),
        ("GET", "/health/ready", 200),
        ("GET", "/nowhere", 404),
        ("PATCH", "/songs", 405),
        ("GET", "/playlists", 401),
        ("POST", "/albums", 413),
    ],
)
def test_every_answer_tells_a_browser_to_trust_nothing(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, content=b"x" * 1_100_000 if status == 413 else None)

    assert answer.status_code == status
    for name, value in SECURITY.items():
        assert answer.headers.get_list(name) == [value]
    assert "strict-transport-security" not in answer.headers


def test_so_does_the_answer_to_what_is_not_http(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        answer = connection.recv(65_536)

    head, _, body = answer.partition(b"\r\n\r\n")
    for name, value in SECURITY.items():
        assert f"\r\n{name}: {value}\r\n".encode() in head + b"\r\n"
    assert json.loads(body)["status"] == "fail"


def test_what_the_gateway_says_itself_is_not_stored(client: httpx.Client) -> None:
    assert client.get("/playlists").headers["cache-control"] == "no-store"


def test_no_page_of_another_origin_may_read_anything_by_default(client: httpx.Client) -> None:
    read = client.get("/songs", headers={"Origin": PAGE})
    asked = client.options("/songs", headers={"Origin": PAGE, "Access-Control-Request-Method": "GET"})

    assert read.status_code == 200
    assert asked.status_code == 204
    for answer in (read, asked):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_page_that_is_named_may_read_and_see_our_headers(open_to_a_page: httpx.Client) -> None:
    for path, status in [("/songs", 200), ("/playlists", 401), ("/nowhere", 404)]:
        answer = open_to_a_page.get(path, headers={"Origin": PAGE})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{PAGE}.evil.example", "null", PAGE.upper(), f"{PAGE}:443"]
)
def test_others_may_not(open_to_a_page: httpx.Client, origin: str) -> None:
    read = open_to_a_page.get("/songs", headers={"Origin": origin})
    asked = open_to_a_page.options("/songs", headers={"Origin": origin, "Access-Control-Request-Method": "GET"})

    assert (read.status_code, asked.status_code) == (200, 204)
    for answer in (read, asked):
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"


def test_a_preflight_is_answered_without_a_service_and_names_the_routes_methods(
    open_to_a_page: httpx.Client, service_url: Any
) -> None:
    before = len(service_url[0].seen)
    asking = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = open_to_a_page.options("/playlists/playlist-1/songs", headers=asking)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, POST"
    assert {"authorization", "idempotency-key"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert open_to_a_page.options("/nowhere", headers=asking).status_code == 404
    assert open_to_a_page.options("/songs", headers={"Origin": PAGE}).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert len(service_url[0].seen) == before


def test_a_kept_answer_is_not_kept_with_the_origin_that_asked_first(start_gateway: Any, service_url: Any) -> None:
    urls = {f"{name}_url": service_url[1] for name in EVERYWHERE}
    with start_gateway(**urls, cors_origins="*") as (url, _), plain_http.Client(base_url=url) as client:
        answer = client.get("/albums/a", headers={"Origin": PAGE})
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        assert "access-control-allow-credentials" not in answer.headers


def test_https_is_asked_for_where_it_is_configured(open_to_a_page: httpx.Client) -> None:
    for path in ("/songs", "/nowhere", "/health/live"):
        assert open_to_a_page.get(path).headers["strict-transport-security"] == "max-age=600"


@pytest.mark.parametrize(
    "wrong", ["music.example", "https://music.example/", "https://a.example https://b.example", "https://*"]
)
def test_what_is_no_origin_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, cors_origins=wrong)
