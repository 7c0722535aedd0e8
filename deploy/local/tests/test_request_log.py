"""One request through the logs of several processes."""

import json
from pathlib import Path

from openmusic_local.request_log import lines_of


def write(path: Path, *records: dict[str, object] | str) -> Path:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in records) + "\n")
    return path


def test_the_lines_of_one_request_come_from_all_logs_in_the_order_of_time(tmp_path: Path) -> None:
    def record(time: str, service: str, message: str, request_id: str = "wanted", **more: object) -> dict[str, object]:
        return {"time": time, "level": "INFO", "message": message, "request_id": request_id, "service": service, **more}

    gateway = write(
        tmp_path / "gateway.log",
        "no JSON",
        record("2026-01-02T03:04:05.300Z", "gateway", "request", status=500),
        record("2026-01-02T03:04:05.250Z", "gateway", "request", "another"),
    )
    catalog = write(
        tmp_path / "catalog.log",
        "[1]",
        record("2026-01-02T03:04:05.200Z", "catalog", "unexpected error", exc_info="Traceback: of it"),
    )

    lines = lines_of("wanted", [gateway, catalog])

    assert [" ".join(line.split()) for line in lines] == [
        "2026-01-02T03:04:05.200Z catalog INFO unexpected error Traceback: of it",
        "2026-01-02T03:04:05.300Z gateway INFO request status=500",
    ]


def test_a_request_that_no_log_holds_has_no_lines(tmp_path: Path) -> None:
    assert lines_of("wanted", [write(tmp_path / "gateway.log", "{}")]) == []
