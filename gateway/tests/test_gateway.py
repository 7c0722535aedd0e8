import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from openmusic_testkit import plain_http

MEGABYTE = 1_000_000


def test_a_client_cannot_claim_what_only_the_gateway_may_say(client: httpx.Client) -> None:
    forged = {
        "X-Service-Credential": "guess",
        "X-User-Id": "user-2",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=1.2.3.4",
        "X-Real-IP": "1.2.3.4",
        "X-Openmusic-Anything": "x",
        "Connection": "keep-alive, X-Secret-Hop",
        "X-Secret-Hop": "1",
        "TE": "trailers",
        "X-Harmless": "kept",
    }
    got = client.get("/songs?a=%20b", headers=forged).json()

    assert got["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert got["headers"]["x-forwarded-proto"] == "http"
    assert got["headers"]["x-harmless"] == "kept"
    for name in (
        "x-service-credential",
        "x-user-id",
        "forwarded",
        "x-real-ip",
        "x-openmusic-anything",
        "x-secret-hop",
        "te",
    ):
        assert name not in got["headers"]
    assert (got["path"], got["query"]) == ("/songs", "a=%20b")


def test_hop_by_hop_headers_of_the_answer_stay_behind(client: httpx.Client) -> None:
    headers = client.get("/songs").headers

    assert headers["x-kept"] == "2"
    assert "x-private" not in headers
    assert "keep-alive" not in headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_the_request_id_is_passed_on_or_made(client: httpx.Client) -> None:
    given = client.get("/songs", headers={"X-Request-ID": "own-1"})
    made = client.get("/songs", headers={"X-Request-ID": "bad id"})

    assert given.headers["X-Request-ID"] == given.json()["headers"]["x-request-id"] == "own-1"
    assert made.headers["X-Request-ID"] == made.json()["headers"]["x-request-id"] != "bad id"


def _raw(url: str, request: bytes) -> bytes:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


@pytest.mark.parametrize("path", ["/albums/%2e%2e%2fusers", "/albums/..", "/albums/%00", "/songs/a%2Fb", "/albums/a;b"])
def test_a_path_reaches_its_service_as_it_was_sent(url: str, service_url: Any, path: str) -> None:
    answer = _raw(url, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 200")
    assert service_url[0].seen[-1]["path"] == path


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/internal/users/x", 404),
        ("GET", "/albums/../internal/users/x", 404),
        ("GET", "/health", 404),
        ("POST", "/openapi.json", 405),
        ("GET", "/redoc", 404),
        ("GET", "/songs/", 404),
        ("PATCH", "/songs", 405),
        ("GET", "/collaborations", 405),
    ],
)
def test_what_is_not_listed_is_not_served(url: str, method: str, path: str, status: int) -> None:
    answer = _raw(url, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'"status": "fail"' in answer


@pytest.mark.parametrize(("name", "version"), [("openapi", "3.1.0"), ("asyncapi", "3.0.0")])
def test_the_documents_of_the_contract_are_served(client: httpx.Client, name: str, version: str) -> None:
    answer = client.get(f"/{name}.json")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["X-Request-ID"]
    assert answer.json()[name] == version


def test_a_protected_route_needs_a_token_and_passes_it_on(client: httpx.Client, token: str) -> None:
    assert client.get("/playlists").status_code == 401
    assert client.get("/playlists", headers={"Authorization": "Bearer x.y.z"}).status_code == 401

    answer = client.get("/playlists", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200
    assert answer.json()["headers"]["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("path", ["/songs", "/albums/a", "/openapi.json", "/health/live", "/nowhere", "/playlists"])
def test_head_is_answered_like_get_without_the_body(client: httpx.Client, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    with_body, without = client.get(path, headers=plain), client.head(path, headers=plain)

    assert without.status_code == with_body.status_code
    assert without.content == b""
    varying = {"date", "ratelimit", "x-request-id"}
    assert {name: value for name, value in without.headers.items() if name not in varying} == {
        name: value for name, value in with_body.headers.items() if name not in varying
    }
    assert int(without.headers["content-length"]) == len(with_body.content) > 0
    assert client.get("/nowhere").status_code == 404, "the connection is out of step"


def test_a_service_that_has_no_head_of_its_own_is_asked_to_get(client: httpx.Client, service_url: Any) -> None:
    asked = []
    for path in ("/songs", "/covers/a/b.png"):
        client.head(path)
        asked.append(service_url[0].seen[-1]["method"])

    assert asked == ["GET", "HEAD"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/songs", "GET, HEAD, OPTIONS, POST"),
        ("/playlists", "GET, HEAD, OPTIONS, POST"),
        ("/collaborations", "DELETE, OPTIONS, POST"),
        ("/covers/a/b.png", "GET, HEAD, OPTIONS"),
        ("/health/live", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_names_the_methods_of_a_path_to_anybody_as_does_405(
    client: httpx.Client, service_url: Any, path: str, methods: str
) -> None:
    before = len(service_url[0].seen)
    answer, refusal = client.options(path), client.patch(path)

    assert (answer.status_code, answer.content, answer.headers["allow"]) == (204, b"", methods)
    assert answer.headers["x-request-id"]
    assert "content-length" not in answer.headers
    assert (refusal.status_code, refusal.headers["allow"]) == (405, methods)
    assert len(service_url[0].seen) == before


def test_what_is_not_there_has_no_options_and_what_cannot_be_read_no_head(client: httpx.Client) -> None:
    assert client.options("/nowhere").status_code == 404
    assert client.head("/collaborations").status_code == 405


def test_the_body_of_a_delete_is_passed_on(client: httpx.Client) -> None:
    answer = client.request("DELETE", "/authentications", json={"refreshToken": "x"})

    assert answer.json()["body"] == '{"refreshToken":"x"}'


def _chunks(size: int) -> Iterator[bytes]:
    return itertools.repeat(b"x" * MEGABYTE, size // MEGABYTE)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_so_that_the_client_can_read_it(client: httpx.Client, chunked: bool) -> None:
    answer = client.post("/albums", content=_chunks(3 * MEGABYTE) if chunked else b"x" * 3 * MEGABYTE)

    assert (answer.status_code, answer.json()["status"]) == (413, "fail")


def test_too_many_header_bytes_are_refused(client: httpx.Client) -> None:
    answer = client.get("/songs", headers={"X-Long": "x" * 40_000})

    assert (answer.status_code, answer.json()["status"]) == (431, "fail")


def test_a_service_that_is_too_slow_is_504(client: httpx.Client) -> None:
    answer = client.get("/songs/slow")

    assert (answer.status_code, answer.json()["status"]) == (504, "error")
    assert answer.headers["Retry-After"]


def test_an_answer_that_breaks_off_is_not_passed_as_whole(client: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/songs/broken")


def _resident(pid: int) -> int:
    """Bytes of memory that the process holds."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_streams_in_both_directions_do_not_grow_the_memory(service_url: Any, start_gateway: Any) -> None:
    service, address = service_url
    urls = {f"{name}_url": address for name in ("auth", "catalog", "playlist", "media", "export")}
    with start_gateway(**urls, body_limit=10**12) as (url, pid), plain_http.Client(base_url=url) as client:
        client.get("/songs")
        before = _resident(pid)
        assert client.post("/albums", content=_chunks(300 * MEGABYTE), timeout=60).json()["size"] == 300 * MEGABYTE
        with client.stream("GET", "/songs/large", timeout=60) as answer:
            assert sum(len(chunk) for chunk in answer.iter_raw()) == 300 * MEGABYTE
        assert _resident(pid) - before < 40 * MEGABYTE
    assert service.received >= 0


def test_all_replicas_get_traffic_and_a_dead_one_costs_no_get(
    new_service: Any, serve: Any, start_gateway: Any, unused_port: Any
) -> None:
    services, ports = [new_service() for _ in range(3)], [unused_port() for _ in range(3)]
    urls = ",".join(f"http://127.0.0.1:{port}" for port in ports)
    everywhere = {f"{name}_url": urls for name in ("auth", "catalog", "playlist", "media", "export")}
    with serve(services[0], ports[0]), serve(services[1], ports[1]), start_gateway(**everywhere) as (url, _):
        with serve(services[2], ports[2]), plain_http.Client(base_url=url) as client:
            for _ in range(300):
                assert client.get("/songs").status_code == 200
            assert all(len(service.seen) >= 60 for service in services)

        statuses: list[int] = []

        def load() -> None:
            with plain_http.Client(base_url=url) as client:
                statuses.extend(client.get("/songs").status_code for _ in range(100))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 400


def test_without_any_replica_it_is_503(start_gateway: Any, unused_port: Any) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    everywhere = {f"{name}_url": nowhere for name in ("auth", "catalog", "playlist", "media", "export")}
    with start_gateway(**everywhere) as (url, _):
        for method, path in [("GET", "/songs"), ("POST", "/songs"), ("GET", "/playlists")]:
            answer = plain_http.request(method, url + path, headers={"Authorization": "Bearer a.b.c"})
            assert answer.status_code in {401, 503}
            if path == "/songs":
                assert (answer.status_code, answer.json()["status"]) == (503, "error")
                assert answer.headers["Retry-After"]
        ready = plain_http.get(f"{url}/health/ready")
        assert ready.status_code == 503
        assert "signing keys" in ready.json()["message"]
