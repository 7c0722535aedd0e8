"""What is compressed, for whom, and how often."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from openmusic_gateway import compression
from openmusic_gateway.compression import MIN_SIZE, Compressed, accepts_gzip, is_compressible
from openmusic_gateway.edge.cache import FetchedResponse
from openmusic_gateway.edge.entries import Entry, size_of
from openmusic_testkit import plain_http

NAMES = ("catalog", "playlist", "media", "export")
TAGS = [(b"cache-tag", b"shelf"), (b"cache-control", b"public, no-cache")]
JSON = [(b"content-type", b"application/json")]


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("identity", False),
        ("identity;q=0", False),
        ("identity;q=0, gzip", True),
        ("identity, gzip", True),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("deflate, br, zstd", False),
        ("gzip;q=2", False),
        ("gzip;q=nan", False),
    ],
)
def test_only_a_client_that_accepts_gzip_gets_it(accepted: str | None, wanted: bool) -> None:
    headers = {} if accepted is None else {b"accept-encoding": accepted.encode()}
    assert accepts_gzip(headers) is wanted


@pytest.mark.parametrize(
    ("service", "headers", "size", "compressible"),
    [
        ("catalog", JSON, MIN_SIZE, True),
        ("catalog", JSON, MIN_SIZE - 1, False),
        ("auth", JSON, MIN_SIZE, False),
        ("media", [(b"content-type", b"image/png")], MIN_SIZE, False),
        ("catalog", [*JSON, (b"content-encoding", b"br")], MIN_SIZE, False),
    ],
)
def test_what_is_compressed(service: str, headers: Any, size: int, compressible: bool) -> None:
    assert is_compressible(service, headers, b"x" * size) is compressible


def test_a_body_is_compressed_once_and_not_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def compress(body: bytes, *rest: Any, **named: Any) -> bytes:
        made.append(body)
        return gzip.compress(body, *rest, **named)

    monkeypatch.setattr(compression, "gzip", type("Gzip", (), {"compress": staticmethod(compress)}))
    response = FetchedResponse(JSON, b"x" * MIN_SIZE, ("shelf",), compressed=Compressed(b"x" * MIN_SIZE))
    entry = response.to_entry(1.0, announced=False)
    assert made == []
    for each in (response, entry, entry):
        assert each.compressed is not None
        assert gzip.decompress(each.compressed.content() or b"") == b"x" * MIN_SIZE
    assert len(made) == 1


def test_what_hardly_shrinks_is_sent_as_it_is() -> None:
    noise = bytes((number * 2_654_435_761 >> 13) % 256 ^ number * number % 251 for number in range(4_000))
    assert Compressed(noise).content() is None


def test_an_entry_has_room_for_its_compressed_body() -> None:
    plain = Entry([], b"x" * MIN_SIZE, b"", (), 1.0)
    compressible = Entry([], b"x" * MIN_SIZE, b"", (), 1.0, compressed=Compressed(b"x" * MIN_SIZE))
    assert size_of(("/", b"", ""), compressible) == size_of(("/", b"", ""), plain) + MIN_SIZE // 2


class Shelf:
    """A list of so many things, marked for the edge; every other method adds one."""

    def __init__(self) -> None:
        self.length = 100

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        if scope["method"] != "GET":
            self.length += 1
        length = 1 if scope["path"].endswith("small") else self.length
        body = json.dumps([{"id": f"thing-{number}"} for number in range(length)]).encode()
        marks = TAGS if scope["method"] == "GET" else [(b"cache-purge", b"shelf")]
        headers = [*JSON, (b"content-length", b"%d" % len(body)), *marks]
        if scope["path"] == "/health/cache-generation":
            headers = [(b"content-length", b"0")]
        status = 404 if scope["path"] == "/health/cache-generation" else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if status == 200 else b""})


@pytest.fixture(scope="module")
def url(
    start_gateway: Any, serve: Any, unused_port: Any, service_url: Any, redis_server: tuple[str, int]
) -> Iterator[str]:
    port = unused_port()
    everywhere = {f"{name}_url": f"http://127.0.0.1:{port}" for name in NAMES} | {"auth_url": service_url[1]}
    redis = {"redis_server": redis_server[0], "redis_port": redis_server[1]}
    with serve(Shelf(), port), start_gateway(**everywhere, **redis) as (url, _):
        yield url


Get = Callable[..., httpx.Response]


@pytest.fixture
def get(url: str) -> Get:
    def get(path: str, encoding: str, **headers: str) -> httpx.Response:
        return plain_http.get(f"{url}{path}", headers={"Accept-Encoding": encoding, **headers})

    return get


def _until_kept(get: Get, path: str, encoding: str) -> httpx.Response:
    deadline = time.monotonic() + 30
    while (answer := get(path, encoding)).headers.get("x-data-source") != "cache":
        assert time.monotonic() < deadline, "nothing was kept"
    return answer


def test_each_encoding_has_its_own_tag_and_the_same_content(get: Get) -> None:
    for ask in (get, lambda path, encoding: _until_kept(get, path, encoding)):
        plain, packed = ask("/albums/a", "identity"), ask("/albums/a", "gzip")

        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.json() == plain.json()
        assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
        assert int(packed.headers["content-length"]) < len(plain.content) // 2
        assert all(answer.headers["vary"] == "Accept-Encoding" for answer in (plain, packed))
        assert all(answer.headers["content-type"] == "application/json" for answer in (plain, packed))


def test_a_client_that_has_its_encoding_gets_no_other(get: Get) -> None:
    plain, packed = _until_kept(get, "/albums/b", "identity"), _until_kept(get, "/albums/b", "gzip")

    for encoding, has, lacks in (("identity", plain, packed), ("gzip", packed, plain)):
        same = get("/albums/b", encoding, **{"If-None-Match": has.headers["etag"]})
        other = get("/albums/b", encoding, **{"If-None-Match": lacks.headers["etag"]})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", has.headers["etag"])
        assert same.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in same.headers
        assert "content-length" not in same.headers
        assert other.status_code == 200


def test_a_small_body_is_the_same_for_everyone(get: Get) -> None:
    answer = get("/albums/small", "gzip")

    assert "content-encoding" not in answer.headers
    assert "vary" not in answer.headers


def test_a_change_is_seen_in_every_encoding(get: Get, url: str) -> None:
    before = {encoding: _until_kept(get, "/albums/c", encoding).json() for encoding in ("identity", "gzip")}
    assert plain_http.put(f"{url}/albums/c").status_code == 200
    after = {encoding: get("/albums/c", encoding).json() for encoding in ("gzip", "identity")}

    assert before["gzip"] == before["identity"]
    assert after["gzip"] == after["identity"]
    assert len(after["gzip"]) == len(before["gzip"]) + 1


def test_what_is_not_marked_for_the_edge_is_not_compressed(url: str) -> None:
    answer = plain_http.post(f"{url}/albums", headers={"Accept-Encoding": "gzip"})

    assert len(answer.content) > MIN_SIZE
    assert "content-encoding" not in answer.headers


def test_head_has_the_headers_of_the_compressed_body(get: Get, url: str) -> None:
    whole = _until_kept(get, "/albums/d", "gzip")
    head = plain_http.request("HEAD", f"{url}/albums/d", headers={"Accept-Encoding": "gzip"})

    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json"])
def test_documents_are_compressed(get: Get, path: str) -> None:
    plain, packed = get(path, "identity"), get(path, "gzip")

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) // 2
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
