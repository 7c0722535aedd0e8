"""What an operator finds in the gateway's log about somebody who abuses the service."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from openmusic_local.stack import Stack
from openmusic_testkit.waiting import wait_until


@pytest.fixture
def line_of(stack: Stack) -> Callable[[str], Any]:
    """The line of the gateway's access log with this request id."""

    def find(request_id: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            written = stack.log("gateway").read_text().split("\n")[:-1]  # the last line may not be whole yet
            lines = (json.loads(line) for line in written if request_id in line)
            return [line for line in lines if line["logger"] == "access" and line["request_id"] == request_id]

        (line,) = wait_until(found)
        return dict(line)

    return find


def test_a_line_names_client_user_and_route_whether_the_answer_was_cached_or_refused(
    client: Any, line_of: Callable[[str], Any]
) -> None:
    user = client.register()
    playlist_id = client.created("/playlists", {"name": "For the road"}, user)["playlistId"]
    path = f"/playlists/{playlist_id}/songs"

    for data_source in (None, "cache"):
        answer = client.call("GET", path, user=user)
        assert answer.headers.get("X-Data-Source") == data_source
        line = line_of(answer.headers["X-Request-ID"])
        assert (line["client"], line["user"], line["route"]) == ("127.0.0.1", user.id, "/playlists/{id}/songs")

    refused = client.call("GET", path, headers={"Authorization": "Bearer of nobody"})
    line = line_of(refused.headers["X-Request-ID"])
    assert line["status"] == 401
    assert (line["client"], line["user"], line["route"]) == ("127.0.0.1", "", "/playlists/{id}/songs")

    unknown = client.call("GET", "/wp-login.php")
    line = line_of(unknown.headers["X-Request-ID"])
    assert line["status"] == 404
    assert (line["client"], line["user"], line["route"]) == ("127.0.0.1", "", "")


def test_a_line_holds_nothing_that_was_searched_for_or_sent(client: Any, line_of: Callable[[str], Any]) -> None:
    answer = client.call("GET", "/songs?title=private-thoughts")
    assert "private-thoughts" not in json.dumps(line_of(answer.headers["X-Request-ID"]))
    login = client.call("POST", "/authentications", {"username": "private-name", "password": "wrong"})
    assert "private-name" not in json.dumps(line_of(login.headers["X-Request-ID"]))
