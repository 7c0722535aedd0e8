import io
import json
from collections.abc import Callable

import pytest

from openmusic_kit.access_log import AccessLog


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
