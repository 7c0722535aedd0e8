"""The length of a list, through the gateway, for those who ask and for nobody else."""

import secrets
from typing import Any

import pytest

COUNT = {"Prefer": "count=exact"}
SHOWN = ("X-Total-Count", "Preference-Applied")


def total(answer: Any) -> int | None:
    assert answer.status_code == 200, answer.text
    assert "Prefer" in answer.headers["Vary"]
    assert ("X-Total-Count" in answer.headers) == (answer.headers.get("Preference-Applied") == "count=exact")
    found = answer.headers.get("X-Total-Count")
    return None if found is None else int(found)


@pytest.fixture
def lists(client: Any) -> dict[str, tuple[str, Any, int, Any]]:
    """A path with the user who reads it, the number of its items, and what adds one."""
    owner, name = client.register("counting"), secrets.token_hex(8)
    playlist, songs = client.playlist(owner, name), [client.song(name) for _ in range(3)]
    client.album(name)
    client.add(playlist, songs[0], owner)
    client.created(f"/export/playlists/{playlist}", {"targetEmail": "count@mail.test"}, owner)
    login = {"username": owner.username, "password": "secret"}
    return {
        "songs": (f"/songs?title={name}", None, 3, lambda: client.song(name)),
        "albums": (f"/albums?name={name}&year=2008", None, 1, lambda: client.album(name)),
        "playlists": ("/playlists", owner, 1, lambda: client.playlist(owner)),
        "activities": (f"/playlists/{playlist}/activities", owner, 1, lambda: client.add(playlist, songs[1], owner)),
        "exports": (
            "/export",
            owner,
            1,
            lambda: client.created(f"/export/playlists/{playlist}", {"targetEmail": "count@mail.test"}, owner),
        ),
        "sessions": ("/users/me/sessions", owner, 1, lambda: client.created("/authentications", login)),
    }


@pytest.mark.parametrize("name", ["songs", "albums", "playlists", "activities", "exports", "sessions"])
def test_a_list_is_counted_for_those_who_ask(client: Any, lists: Any, name: str) -> None:
    path, user, number, add_one = lists[name]
    page = path + ("&" if "?" in path else "?") + "limit=1"

    for _ in range(3):  # in turn, so that neither gets what was kept for the other
        for asked in (path, page):
            assert total(client.call("GET", asked, user=user)) is None
            assert total(client.call("GET", asked, user=user, headers=COUNT)) == number
    add_one()
    assert total(client.call("GET", path, user=user, headers=COUNT)) == number + 1
    second = client.call("GET", page, user=user, headers=COUNT)
    assert total(second) == number + 1
    following = second.headers["Link"].partition(">")[0].lstrip("<")
    assert total(client.call("GET", following, user=user, headers=COUNT)) == number + 1, "of all pages"


@pytest.mark.parametrize(
    "preference", ["count=planned", "count", "return=minimal", "x-count=exact", "count=none, count=exact"]
)
def test_another_preference_is_not_a_request_to_count(client: Any, preference: str) -> None:
    path = f"/songs?title={secrets.token_hex(8)}"

    assert total(client.call("GET", path, headers=COUNT)) == 0
    assert total(client.call("GET", path, headers={"Prefer": preference})) is None


def test_several_fields_are_one_list_of_preferences(client: Any) -> None:
    path = f"/songs?title={secrets.token_hex(8)}"
    for several in (("count=exact", "respond-async"), ("respond-async", 'Count="exact"; x=1')):
        fields = [("Prefer", each) for each in several]
        assert total(client.http.request("GET", path, headers=fields)) == 0
        assert total(client.call("GET", path)) is None


def test_nobody_counts_what_they_may_not_read(client: Any, lists: Any, stranger: Any) -> None:
    for path, user, *_ in lists.values():
        if user is not None:
            assert client.call("GET", path, headers=COUNT).status_code == 401
    refused = client.call("GET", lists["activities"][0], user=stranger, headers=COUNT)
    assert refused.status_code == 403
    assert not any(name in refused.headers for name in SHOWN)
    assert total(client.call("GET", "/playlists", user=client.register("nobody"), headers=COUNT)) == 0
