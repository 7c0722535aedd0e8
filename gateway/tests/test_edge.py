"""The edge cache of real gateway processes, in front of a service that counts what it is asked."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from openmusic_gateway.edge.entries import Entries, Entry, size_of
from openmusic_testkit import plain_http

NAMES = ("auth", "catalog", "playlist", "media", "export")


class Shelf:
    """Answers GET with how often it was written to, marked for the edge; every other method writes."""

    def __init__(self) -> None:
        self.value = 0
        self.asked = 0
        self.marks: list[tuple[bytes, bytes]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json")]
        if scope["path"] == "/health/cache-generation":
            headers += [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 404, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if scope["method"] == "GET":
            self.asked += 1
            await asyncio.to_thread(self.go_on.wait)
            headers += self.marks
        else:
            self.value += 1
            headers.append((b"cache-purge", b"shelf,other"))
        body = json.dumps({"value": self.value}).encode()
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


PUBLIC = [(b"cache-tag", b"shelf"), (b"cache-control", b"public, no-cache")]
PRIVATE = [(b"cache-tag", b"shelf"), (b"cache-control", b"private, no-cache")]


@pytest.fixture
def shelf(serve: Any, unused_port: Any) -> Iterator[tuple[Shelf, int]]:
    shelf, port = Shelf(), unused_port()
    shelf.marks = PUBLIC
    with serve(shelf, port):
        yield shelf, port


@pytest.fixture
def start(
    start_gateway: Any, service_url: Any, shelf: tuple[Shelf, int], redis_server: tuple[str, int]
) -> Callable[..., Any]:
    """Starts a gateway in front of the shelf; tokens are those of the test's issuer."""
    addresses = {f"{name}_url": f"http://127.0.0.1:{shelf[1]}" for name in NAMES} | {"auth_url": service_url[1]}
    redis = {"redis_server": redis_server[0], "redis_port": redis_server[1]}
    return lambda **changes: start_gateway(**{**addresses, **redis, **changes})


def _get(url: str, path: str = "/albums/a", **headers: str) -> httpx.Response:
    return plain_http.get(f"{url}{path}", headers=headers)


def _until_kept(url: str, path: str = "/albums/a", **headers: str) -> httpx.Response:
    """The first answer that came from the edge: a gateway keeps nothing before it is in step with the others."""
    deadline = time.monotonic() + 10
    while (answer := _get(url, path, **headers)).headers.get("x-data-source") != "cache":
        assert time.monotonic() < deadline, "nothing was kept"
    return answer


def test_a_repeated_read_is_answered_at_the_edge(start: Any, shelf: tuple[Shelf, int]) -> None:
    with start() as (url, _):
        kept = _until_kept(url)
        asked = shelf[0].asked
        again = _get(url)

    assert again.headers["x-data-source"] == "cache"
    assert shelf[0].asked == asked
    assert again.json() == kept.json() == {"value": 0}
    assert again.headers["x-request-id"] != kept.headers["x-request-id"]
    assert again.headers["cache-control"] == "public, no-cache"
    assert "cache-tag" not in again.headers


def test_a_client_that_has_this_version_gets_none(start: Any) -> None:
    with start() as (url, _):
        etag = _until_kept(url).headers["etag"]
        same = _get(url, **{"If-None-Match": f'"other", W/{etag}'})
        other = _get(url, **{"If-None-Match": '"other"'})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert "content-type" not in same.headers
    assert other.status_code == 200


def test_a_write_is_seen_at_once_through_every_gateway(start: Any) -> None:
    with start() as (first, _), start() as (second, _):
        for value in range(1, 20):
            _until_kept(first)
            _until_kept(second)
            written = plain_http.put([first, second][value % 2] + "/albums/a")
            assert "cache-purge" not in written.headers
            for url in (first, second):
                answer = _get(url)
                assert answer.json() == {"value": value}
                assert "x-data-source" not in answer.headers


def test_a_private_answer_is_kept_for_its_user_only(
    start: Any, shelf: tuple[Shelf, int], token_of: Callable[[str], str]
) -> None:
    shelf[0].marks = PRIVATE
    alice, bob = ({"Authorization": f"Bearer {token_of(name)}"} for name in ("user-alice", "user-bob"))
    with start() as (url, _):
        _until_kept(url, "/playlists/p/songs", **alice)
        asked = shelf[0].asked
        assert "x-data-source" not in _get(url, "/playlists/p/songs", **bob).headers
        assert shelf[0].asked == asked + 1
        assert _get(url, "/playlists/p/songs").status_code == 401
        for _ in range(3):  # private, but nobody knows for whom
            assert "x-data-source" not in _get(url, "/albums/a").headers


def test_who_waited_in_vain_for_what_another_fetched_waits_no_longer_than_alone(
    start: Any, shelf: tuple[Shelf, int]
) -> None:
    with start(upstream_timeout=2.0) as (url, _), ThreadPoolExecutor() as readers:
        _until_kept(url)
        plain_http.put(f"{url}/albums/a").raise_for_status()
        asked = shelf[0].asked
        shelf[0].go_on.clear()
        first = readers.submit(_get, url)
        while shelf[0].asked == asked:
            time.sleep(0.01)
        second = readers.submit(_get, url)
        assert first.result().status_code == 504
        time.sleep(1.2)  # the second has no more than a moment left, and had two seconds more if it began again
        shelf[0].go_on.set()

        assert second.result().status_code == 504


def test_what_is_not_marked_is_not_kept(start: Any, shelf: tuple[Shelf, int]) -> None:
    with start() as (url, _):
        _until_kept(url)
        shelf[0].marks = []
        for _ in range(3):
            assert "x-data-source" not in _get(url, "/albums/b").headers


def test_who_asks_for_the_same_at_once_asks_the_service_once(start: Any, shelf: tuple[Shelf, int]) -> None:
    with start() as (url, _):
        _until_kept(url)
        asked = shelf[0].asked
        shelf[0].go_on.clear()
        answers: list[httpx.Response] = []
        readers = [threading.Thread(target=lambda: answers.append(_get(url, "/albums/other"))) for _ in range(20)]
        for reader in readers:
            reader.start()
        deadline = time.monotonic() + 10
        while shelf[0].asked == asked or not _all_have_asked(url, 20):
            assert time.monotonic() < deadline
        shelf[0].go_on.set()
        for reader in readers:
            reader.join()

    assert shelf[0].asked == asked + 1
    assert {answer.status_code for answer in answers} == {200}


def _all_have_asked(url: str, connections: int) -> bool:
    """Whether so many connections to the gateway are open, all of whose requests were read."""
    port = int(url.rpartition(":")[2])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = [row for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"]
    return len(local) >= connections and all(row[4] == "00000000:00000000" for row in local)


def test_without_redis_nothing_is_kept_and_everything_works(
    start: Any, shelf: tuple[Shelf, int], unused_port: Any
) -> None:
    with start(redis_port=unused_port()) as (url, _):
        for _ in range(5):
            assert "x-data-source" not in _get(url).headers
        assert plain_http.put(f"{url}/albums/a").status_code == 200
        assert _get(url).json() == {"value": shelf[0].value}


def test_redis_may_go_and_come_back(start: Any, test_stack: Any) -> None:
    with start() as (url, _):
        _until_kept(url)
        test_stack.stop_process("redis")
        try:
            plain_http.put(f"{url}/albums/a")
            assert _get(url).json() == {"value": 1}
        finally:
            test_stack.start_process("redis")
        assert _until_kept(url).json() == {"value": 1}


def _entry(body: bytes = b"x", tags: tuple[str, ...] = ("a",), expires_at: float = 10) -> Entry:
    return Entry([], body, b"", tags, expires_at)


def test_the_least_recently_used_go_first_when_the_room_is_used_up() -> None:
    entries = Entries(3 * size_of(("1", b"", ""), _entry()))
    for name in "123":
        entries.put((name, b"", ""), _entry(), 0, 0)
    assert entries.get(("1", b"", ""), 0)
    entries.put(("4", b"", ""), _entry(), 0, 0)
    entries.put(("5", b"", ""), _entry(b"x" * 1_000_000), 0, 0)

    assert {name for name in "12345" if entries.get((name, b"", ""), 0)} == {"1", "3", "4"}


def test_an_entry_does_not_outlive_its_time() -> None:
    entries = Entries(1_000_000)
    entries.put(("one", b"", ""), _entry(expires_at=10), 0, 0)

    assert entries.get(("one", b"", ""), 9.9)
    assert entries.get(("one", b"", ""), 10) is None
    entries.put(("late", b"", ""), _entry(expires_at=10), 0, 10)
    assert len(entries) == 0


def test_what_is_not_asked_for_again_takes_no_memory() -> None:
    entries = Entries(1_000_000)
    for second in range(100):
        entries.put((f"read once {second}", b"", ""), _entry(expires_at=second + 1), 0, second)
        entries.put(("read often", b"", ""), _entry(expires_at=second + 1), 0, second)

    assert len(entries) == 2


def test_what_was_fetched_before_a_purge_is_not_kept_however_many_purges_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openmusic_gateway.edge.entries.MAX_PURGED_TAGS", 10)
    entries = Entries(1_000_000)
    before = entries.epoch
    entries.purge(["a"])
    for number in range(100):
        entries.purge([f"other {number}"])
    entries.put(("one", b"", ""), _entry(tags=("a",)), before, 0)
    entries.put(("two", b"", ""), _entry(tags=("b",)), entries.epoch, 0)

    assert entries.get(("one", b"", ""), 0) is None
    assert entries.get(("two", b"", ""), 0)


@pytest.mark.parametrize(
    ("tag", "purged", "outdated"),
    [
        ("song:1", "song:1", True),
        ("song:1", "song:2", False),
        ("song:1", "songs:1", False),
        ("song:1", "song", True),
        ("song", "song:1", True),
        ("song", "song", True),
        ("song", "songs", False),
        ("songs:1", "song", False),
    ],
)
def test_a_kind_stands_for_all_tags_of_that_kind(tag: str, purged: str, outdated: bool) -> None:
    kept, fetching = Entries(1_000_000), Entries(1_000_000)
    kept.put(("a", b"", ""), _entry(tags=("other:1", tag)), 0, 0)
    kept.purge([purged])
    fetching.purge([purged])
    fetching.put(("a", b"", ""), _entry(tags=("other:1", tag)), 0, 0)
    assert [len(kept), len(fetching)] == [0 if outdated else 1] * 2

    fetching.put(("b", b"", ""), _entry(tags=("other:1", tag)), fetching.epoch, 0)
    assert fetching.get(("b", b"", ""), 0), "what was fetched after the purge is new"
