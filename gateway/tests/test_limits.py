"""Who asks too much is told so; others are not affected, and nobody waits for a Redis that is away."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from openmusic_gateway.limits.clients import Clients, client_key, networks
from openmusic_gateway.limits.policy import Limit
from openmusic_gateway.limits.rates import Rate
from openmusic_gateway.responses import HttpError
from openmusic_testkit import plain_http

PROXY = "127.0.0.1/32"
GENEROUS = {"limit_wait": 2.0, "failures_window": 3600, "exports_window": 3600, "requests_window": 3600}


class Doorman:
    """Knows a password, takes every export, and finds nothing wrong with a name that begins with ``new``."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.asked += 1
        said = json.loads(body) if body else {}
        status = 200
        if scope["path"] == "/authentications":
            status = 201 if said.get("password") == "right" else 401
        elif scope["path"] == "/users":
            status = 201 if said["username"].startswith("new") else 400
        elif scope["path"].startswith("/export/"):
            status = 404 if scope["path"].endswith("nowhere") else 201
        elif scope["path"] == "/.well-known/jwks.json":
            status = 404
        answer = b'{"status": "success", "message": "done"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


@pytest.fixture(scope="module")
def doorman(serve: Any, unused_port: Any) -> Iterator[tuple[Doorman, str]]:
    service, port = Doorman(), unused_port()
    with serve(service, port):
        yield service, f"http://127.0.0.1:{port}"


@pytest.fixture
def limited(start_gateway: Any, doorman: Any, redis_server: tuple[str, int]) -> Callable[..., Any]:
    """Starts a gateway that believes what is said of the client's address; yields a way to ask it from some address."""

    @contextmanager
    def start(**settings: Any) -> Iterator[Callable[..., httpx.Response]]:
        urls = {f"{name}_url": doorman[1] for name in ("catalog", "playlist", "media", "export")}
        redis = {"redis_server": redis_server[0], "redis_port": redis_server[1]}
        everything = {**urls, "auth_url": doorman[1], **redis, "trusted_proxies": PROXY, **GENEROUS, **settings}
        with start_gateway(**everything) as (url, _), plain_http.Client(base_url=url) as client:

            def ask(method: str, path: str, address: str = "203.0.113.1", **more: Any) -> httpx.Response:
                headers = {"X-Forwarded-For": address, **more.pop("headers", {})}
                return client.request(method, path, headers=headers, **more)

            yield ask

    return start


@pytest.fixture
def addresses() -> Iterator[str]:
    """Addresses that no test has used: what Redis counted for one test must not matter to another."""
    return _fresh


def _fresh_addresses() -> Iterator[str]:
    number = time.time_ns() % 2**20
    while True:
        number += 1
        yield f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


_fresh = _fresh_addresses()


def login(ask: Any, address: str, name: str, password: str = "wrong") -> httpx.Response:
    answer: httpx.Response = ask("POST", "/authentications", address, json={"username": name, "password": password})
    return answer


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["status"] == "fail"
    assert body["message"]
    seconds = int(answer.headers["Retry-After"])
    assert 1 <= seconds <= 3600
    assert answer.headers["RateLimit-Reset"] == str(seconds)
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit"].endswith(f";r=0;t={seconds}")
    assert f";q={answer.headers['RateLimit-Limit']};w=3600" in answer.headers["RateLimit-Policy"]


def test_who_guesses_the_password_of_a_name_is_stopped_from_every_address(limited: Any, addresses: Any) -> None:
    name, other = f"alice {time.time_ns()}", f"bob {time.time_ns()}"
    with limited(login_failures_by_name=3) as ask:
        assert [login(ask, next(addresses), name).status_code for _ in range(3)] == [401] * 3
        refused(login(ask, next(addresses), name))
        refused(login(ask, next(addresses), name, "right"))
        assert login(ask, next(addresses), other, "right").status_code == 201


def test_an_address_that_guesses_is_stopped_whatever_names_it_tries(limited: Any, addresses: Any) -> None:
    guesser, neighbour = next(addresses), next(addresses)
    with limited(login_failures_by_address=3) as ask:
        assert [login(ask, guesser, f"{time.time_ns()}").status_code for _ in range(3)] == [401] * 3
        refused(login(ask, guesser, f"{time.time_ns()}"))
        assert login(ask, neighbour, f"{time.time_ns()}").status_code == 401


def test_many_who_log_in_from_one_address_are_not_limited(limited: Any, addresses: Any) -> None:
    address = next(addresses)
    with limited(login_failures_by_name=2, login_failures_by_address=2) as ask:
        assert {login(ask, address, f"{number}", "right").status_code for number in range(50)} == {201}


def test_attempts_at_the_same_time_do_not_slip_past_a_limit(limited: Any, addresses: Any) -> None:
    name, statuses = f"{time.time_ns()}", []
    with limited(login_failures_by_name=5) as ask:

        def guess() -> None:
            statuses.append(login(ask, next(addresses), name).status_code)

        threads = [threading.Thread(target=guess) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses.count(401) < 5 + 10
    assert statuses.count(401) + statuses.count(429) == 60


@pytest.mark.parametrize(
    "spelling", [b'{"username": "x", "username": "%s"}', b'{"\\u0075sername": "%s", "password": 1}']
)
def test_a_name_is_counted_however_its_json_is_written(limited: Any, addresses: Any, spelling: bytes) -> None:
    name = f"{time.time_ns()}"
    with limited(login_failures_by_name=2) as ask:
        bodies = [
            spelling % name.encode(),
            json.dumps({"username": name}).encode(),
            (b" " * 50_000) + spelling % name.encode(),
        ]
        answers = [ask("POST", "/authentications", next(addresses), content=body).status_code for body in bodies]
    assert answers == [401, 401, 429]


def test_a_login_in_pieces_is_counted_and_a_large_one_is_refused(limited: Any, addresses: Any) -> None:
    name = f"{time.time_ns()}"
    body = json.dumps({"username": name}).encode()
    with limited(login_failures_by_name=1) as ask:
        pieces = [
            ask("POST", "/authentications", next(addresses), content=iter([body[:9], body[9:]])) for _ in range(2)
        ]
        assert [answer.status_code for answer in pieces] == [401, 429]
        for content in (b" " * 70_000, iter([b" " * 70_000])):
            assert ask("POST", "/authentications", next(addresses), content=content).status_code == 413


def test_registrations_count_only_when_they_fail(limited: Any, addresses: Any) -> None:
    address = next(addresses)
    with limited(registration_failures_by_address=2) as ask:
        for number in range(10):
            assert ask("POST", "/users", address, json={"username": f"new {number}"}).status_code == 201
        taken = [ask("POST", "/users", address, json={"username": "taken"}).status_code for _ in range(3)]
    assert taken == [400, 400, 429]


def test_exports_are_limited_by_user_and_only_what_is_accepted_counts(
    limited: Any, service_url: Any, token_of: Any, addresses: Any
) -> None:
    alice, bob = (f"user-{time.time_ns()}" for _ in range(2))
    with limited(auth_url=service_url[1], exports_by_user=2) as ask:

        def export(user: str, playlist: str = "a") -> httpx.Response:
            headers = {"Authorization": f"Bearer {token_of(user)}"}
            answer: httpx.Response = ask("POST", f"/export/playlists/{playlist}", next(addresses), headers=headers)
            return answer

        assert [export(alice, "nowhere").status_code for _ in range(5)] == [404] * 5
        assert [export(alice).status_code for _ in range(2)] == [201] * 2
        refused(export(alice))
        assert export(bob).status_code == 201


def test_who_guesses_the_password_of_a_session_is_stopped_from_every_address_and_others_are_not(
    limited: Any, service_url: Any, token_of: Any, addresses: Any
) -> None:
    alice, bob = (f"user-{time.time_ns()}" for _ in range(2))
    with limited(auth_url=service_url[1], login_failures_by_name=3, login_failures_by_address=5) as ask:

        def change(user: str, password: str = "wrong", address: str = "") -> httpx.Response:
            headers = {"Authorization": f"Bearer {token_of(user)}"}
            body = {"password": password, "newPassword": "another"}
            answer: httpx.Response = ask(
                "PUT", "/users/me/password", address or next(addresses), headers=headers, json=body
            )
            return answer

        assert [change(alice).status_code for _ in range(3)] == [403] * 3
        refused(change(alice))
        refused(change(alice, "right"))
        assert [change(bob, "right").status_code for _ in range(9)] == [200] * 9
        guesser, users = next(addresses), [f"user-{time.time_ns()}" for _ in range(6)]
        assert [change(each, address=guesser).status_code for each in users] == [403] * 5 + [429]


def test_what_reaches_a_service_is_limited_by_address_and_by_user(
    limited: Any, service_url: Any, token_of: Any, addresses: Any
) -> None:
    address, user = next(addresses), f"user-{time.time_ns()}"
    headers = {"Authorization": f"Bearer {token_of(user)}"}
    with limited(auth_url=service_url[1], requests_by_address=10, requests_by_user=5) as ask:
        assert [ask("GET", "/songs", address).status_code for _ in range(10)] == [200] * 10
        refused(ask("GET", "/songs", address))
        by_user = [ask("GET", "/playlists", next(addresses), headers=headers).status_code for _ in range(6)]
        assert by_user == [200] * 5 + [429]


def test_gateways_count_together(limited: Any, addresses: Any) -> None:
    address, name = next(addresses), f"{time.time_ns()}"
    settings = {"requests_by_address": 100, "login_failures_by_name": 4}
    with limited(**settings) as one, limited(**settings) as other:
        assert [login(one, next(addresses), name).status_code for _ in range(4)] == [401] * 4
        refused(login(other, next(addresses), name))
        served = 0
        for _ in range(100):
            served += [ask("GET", "/songs", address).status_code for ask in (one, other)].count(200)
        assert 100 <= served < 150, "each lets through a batch of five more, and what it does not know of yet"


class Mute:
    """Takes connections and says nothing, as a Redis that hangs."""

    def __enter__(self) -> int:
        self._socket = socket.create_server(("127.0.0.1", 0))
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def test_while_redis_is_away_or_hangs_each_gateway_limits_by_itself(
    limited: Any, addresses: Any, unused_port: Any
) -> None:
    with Mute() as mute:
        for port in (unused_port(), mute):
            name, address = f"{time.time_ns()}", next(addresses)
            settings = {"redis_port": port, "limit_wait": 0.05}
            with limited(**settings, login_failures_by_name=3, requests_by_address=20) as ask:
                assert [login(ask, next(addresses), name).status_code for _ in range(3)] == [401] * 3
                refused(login(ask, next(addresses), name))
                assert [ask("GET", "/songs", address).status_code for _ in range(21)] == [200] * 20 + [429]


def test_a_limit_of_zero_is_none(limited: Any, addresses: Any) -> None:
    off = dict.fromkeys(("login_failures_by_name", "login_failures_by_address", "requests_by_address"), 0)
    name, address = f"{time.time_ns()}", next(addresses)
    with limited(**off) as ask:
        assert {login(ask, address, name).status_code for _ in range(30)} == {401}


def test_the_limits_by_default_let_a_busy_client_and_a_test_suite_pass(limited: Any, addresses: Any) -> None:
    address = next(addresses)
    with limited() as ask:
        assert {ask("GET", "/songs", address).status_code for _ in range(600)} == {200}
        wrong = [login(ask, address, f"{number % 8} {address}").status_code for number in range(80)]
        assert set(wrong) == {401}


async def test_600_requests_in_every_second_are_within_the_limits_by_default() -> None:
    from openmusic_gateway.settings import Settings

    async def share(*_: Any) -> bool:
        return True

    settings = Settings(_env_file=None)
    for amount in (settings.requests_by_address, settings.requests_by_user):
        moments = iter(1_000_000 + number / 600 for number in range(30 * 600))
        rate = Rate(Limit("x", amount, settings.requests_window), share, clock=moments.__next__)
        for _ in range(30 * 600):
            rate.admit("client")


async def test_a_window_that_is_over_is_forgotten() -> None:
    async def share(*_: Any) -> bool:
        return True

    now = 1000.0
    rate = Rate(Limit("x", 2, 10), share, clock=lambda: now)
    rate.admit("a")
    rate.admit("a")
    with pytest.raises(HttpError) as refusal:
        rate.admit("a")
    assert refusal.value.headers["Retry-After"] == "10"
    now = 1010.0
    rate.admit("a")


async def test_more_clients_than_can_be_counted_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def share(*_: Any) -> bool:
        return True

    monkeypatch.setattr("openmusic_gateway.limits.rates.MAX_KEYS", 3)
    rate = Rate(Limit("x", 2, 10), share, clock=lambda: 1000.0)
    for client in "abcabc":
        rate.admit(client)
    for client in "abc":
        with pytest.raises(HttpError):
            rate.admit(client)
    rate.admit("d")
    assert rate._counts == {"d": 1}
    rate.admit("a")


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ("", "10.0.0.1", ["1.1.1.1"], "10.0.0.1"),
        ("10.0.0.0/8", "9.9.9.9", ["1.1.1.1"], "9.9.9.9"),
        ("10.0.0.0/8", "10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("10.0.0.0/8", "10.0.0.1", ["8.8.8.8, 1.1.1.1"], "1.1.1.1"),
        ("10.0.0.0/8", "10.0.0.1", ["8.8.8.8", "1.1.1.1, 10.0.0.7"], "1.1.1.1"),
        ("10.0.0.0/8", "10.0.0.1", ["1.1.1.1, nonsense"], "10.0.0.1"),
        ("10.0.0.0/8, fd00::/8", "fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
    ],
)
def test_only_trusted_proxies_are_believed(trusted: str, peer: str, forwarded: list[str], address: str) -> None:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", value.encode()) for value in forwarded)]

    assert Clients(networks(trusted)).address((peer, 1234), headers) == address


def test_a_network_of_ipv6_counts_as_one_client() -> None:
    assert client_key("2001:db8:1:2:3::4") == client_key("2001:db8:1:2::9") != client_key("2001:db8:1:3::9")
    assert client_key("::ffff:192.0.2.1") == client_key("192.0.2.1") != client_key("192.0.2.2")
    assert client_key("nonsense") == "unknown"


def test_what_is_no_network_is_refused_at_the_start() -> None:
    from pydantic import ValidationError

    from openmusic_gateway.settings import Settings

    with pytest.raises(ValidationError):
        Settings(_env_file=None, trusted_proxies="10.0.0.0/8, somewhere")
