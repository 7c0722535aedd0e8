import io
import json
from collections.abc import Callable

import pytest

from openmusic_kit.web.access_log import AccessLog


@pytest.fixture
def due() -> list[Callable[[], None]]:
    """What was asked to be called later."""
    return []


def test_a_line_tells_of_a_request_whatever_its_path(due: list[Callable[[], None]]) -> None:
    output = io.StringIO()
    log = AccessLog("catalog", lambda _, call: due.append(call), output)
    log.add("GET", '/albums/"\\\n\udcffé', 200, 0.0123, "request-1")
    log.add("POST", "/albums", 201, 2, "request-2")
    assert output.getvalue() == ""
    for call in due:
        call()

    first, second = map(json.loads, output.getvalue().splitlines())
    assert first["path"] == '/albums/"\\\n\udcffé'
    assert (first["status"], first["duration_ms"], first["request_id"]) == (200, 12.3, "request-1")
    assert (first["service"], first["level"]) == ("catalog", "INFO")
    assert first["time"].endswith("Z")
    assert (second["method"], second["status"]) == ("POST", 201)


def test_one_timer_is_enough_for_many_lines(due: list[Callable[[], None]]) -> None:
    output = io.StringIO()
    log = AccessLog("catalog", lambda _, call: due.append(call), output)
    for round_of in range(1, 3):
        for _ in range(100):
            log.add("GET", "/", 404, 0, "r")
        assert len(due) == round_of
        log.flush()
    assert len(output.getvalue().splitlines()) == 200


def test_a_line_waits_a_tenth_of_a_second_and_has_the_time_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    output = io.StringIO()
    log = AccessLog("catalog", lambda seconds, _: asked.append(seconds), output)
    for now in (1_750_000_000.042, 1_750_000_000.9, 1_750_000_061.0):
        monkeypatch.setattr("time.time", lambda now=now: now)
        log.add("GET", "/", 200, 0.01, "r")
    log.flush()
    assert asked == [0.1]
    assert [json.loads(line)["time"] for line in output.getvalue().splitlines()] == [
        "2025-06-15T15:06:40.042Z",
        "2025-06-15T15:06:40.900Z",
        "2025-06-15T15:07:41.000Z",
    ]


def test_nothing_is_written_when_there_is_nothing_to_say() -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise AssertionError

    AccessLog("catalog", lambda *_: None, Closed()).flush()


def test_lines_are_written_whole_in_blocks_that_a_pipe_takes_at_once(due: list[Callable[[], None]]) -> None:
    blocks: list[str] = []
    output = io.StringIO()
    output.write = lambda block: blocks.append(block) or len(block)  # type: ignore[method-assign,func-returns-value]
    log = AccessLog("catalog", lambda _, call: due.append(call), output)
    for number in range(100):
        log.add("GET", "/albums/" + "x" * (6000 if number == 50 else number), 200, 0, "r")
    log.flush()
    assert len([json.loads(line) for line in "".join(blocks).splitlines()]) == 100
    assert all(block.endswith("\n") for block in blocks)
    assert sum(len(block) > 4096 for block in blocks) == 1  # a line that is longer itself
    assert len(blocks) < 20
