"""A counted response shows the limits that count it, and what is left of them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from openmusic_gateway.limits.policy import Limit
from openmusic_testkit import plain_http
from openmusic_testkit.waiting import wait_until

WINDOW = 10**9  # seconds; no test sees its end
NAMES = ("auth", "catalog", "playlist", "media", "export")


@pytest.fixture(scope="module")
def limited_url(start_gateway: Any, service_url: tuple[Any, str], redis_server: tuple[str, int]) -> Iterator[str]:
    everywhere = {f"{name}_url": service_url[1] for name in NAMES}
    everywhere |= {"redis_server": redis_server[0], "redis_port": str(redis_server[1])}
    with start_gateway(
        **everywhere, requests_by_address=1000, requests_by_user=50, requests_window=WINDOW, upstream_timeout=1.0
    ) as (url, _):
        yield url


def states_of(answer: Any) -> dict[str, int]:
    """What is left of each limit."""
    policies = dict(re.findall(rf'"([a-z]+)";q=(\d+);w={WINDOW}', answer.headers["ratelimit-policy"]))
    left = re.findall(r'"([a-z]+)";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    assert policies.keys() == {name for name, _, _ in left}
    assert all(1 <= int(seconds) <= WINDOW for _, _, seconds in left)
    assert len(answer.headers.get_list("ratelimit")) == 1
    return {name: int(remaining) for name, remaining, _ in left}


def _from_cache(answer: httpx.Response) -> httpx.Response | None:
    return answer if "x-data-source" in answer.headers else None


def test_what_is_left_goes_down_by_each_counted_request(limited_url: str, token_of: Callable[[str], str]) -> None:
    user = {"Authorization": f"Bearer {token_of('user-of-limits')}"}
    with plain_http.Client(base_url=limited_url) as client:
        first = states_of(client.post("/songs", json={}))
        second = states_of(client.post("/playlists", json={}, headers=user))
        third = states_of(client.post("/playlists", json={}, headers=user))

    assert second == {"address": first["address"] - 1, "user": 49}
    assert third == {"address": first["address"] - 2, "user": 48}


def test_a_failure_after_the_count_shows_it_too(limited_url: str) -> None:
    with plain_http.Client(base_url=limited_url) as client:
        too_large = client.post("/songs", content=b"x" * 2_000_000)
        late = client.get("/songs/slow")

    assert (too_large.status_code, late.status_code) == (413, 504)
    assert states_of(too_large)["address"] == states_of(late)["address"] + 1


def test_what_is_not_counted_shows_nothing(limited_url: str) -> None:
    with plain_http.Client(base_url=limited_url) as client:
        fetched = client.get("/songs/counted")
        from_cache = wait_until(lambda: _from_cache(client.get("/songs/counted")), 30)
        refused = [client.get("/nowhere"), client.get("/playlists"), client.get("/health/live")]

    assert states_of(fetched)
    assert [answer.headers.get("ratelimit") for answer in (from_cache, *refused)] == [None] * 4


def test_without_limits_nothing_is_shown(start_gateway: Any, service_url: tuple[Any, str]) -> None:
    everywhere = {f"{name}_url": service_url[1] for name in NAMES}
    with (
        start_gateway(**everywhere, requests_by_address=0, requests_by_user=0) as (url, _),
        plain_http.Client(base_url=url) as client,
    ):
        assert "ratelimit" not in client.post("/songs", json={}).headers


def test_a_refusal_names_the_limit_in_words() -> None:
    error = Limit("login-name", 20, 300, "failed logins with one username").exceeded(16.2)

    expected = "Too many failed logins with one username: at most 20 in 300 s; try again in 17 s"
    assert error.failure.message == expected
    assert error.headers["RateLimit"] == '"login-name";r=0;t=17'
    assert error.headers["RateLimit-Policy"] == '"login-name";q=20;w=300'


@pytest.mark.parametrize(("length", "named"), [(2_000_000, "at most 1048576 bytes")])
def test_a_body_that_is_too_large_is_told_the_limit(limited_url: str, length: int, named: str) -> None:
    with plain_http.Client(base_url=limited_url) as client:
        assert named in client.post("/songs", content=b"x" * length).json()["message"]
