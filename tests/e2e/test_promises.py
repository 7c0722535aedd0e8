"""What must hold although many parts work together, and although some of them fail."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from openmusic_testkit import plain_http
from openmusic_testkit.waiting import wait_until

ROUNDS = int(os.environ.get("OPENMUSIC_ROUNDS", "200"))


def test_a_client_sees_its_own_writes_without_a_pause(client: Any, alice: Any) -> None:
    playlist_id = client.playlist(alice)
    for number in range(ROUNDS):
        song_id = client.song(f"Song {number}")
        client.add(playlist_id, song_id, alice)
        assert client.songs_in(playlist_id, alice)[-1]["id"] == song_id
    assert len(client.songs_in(playlist_id, alice)) == ROUNDS


def test_the_first_read_after_a_change_is_fresh_and_the_second_is_cached(client: Any, alice: Any) -> None:
    path = f"/albums/{client.album()}/likes"
    for number in range(ROUNDS):
        method = "DELETE" if number % 2 else "POST"
        assert client.call(method, path, user=alice).status_code in {200, 201}
        first, second = client.call("GET", path), client.call("GET", path)
        assert "X-Data-Source" not in first.headers
        assert second.headers.get("X-Data-Source") == "cache"
        assert first.json() == second.json() == {"status": "success", "data": {"likes": 1 - number % 2}}


def test_a_renamed_song_shows_in_every_playlist_within_two_seconds(client: Any, alice: Any) -> None:
    song_id = client.song("Before")
    playlists = [client.playlist(alice) for _ in range(10)]
    for number, playlist_id in enumerate(playlists):
        client.add(playlist_id, song_id, alice)
        if number % 2:
            client.songs_in(playlist_id, alice)  # now it is cached
    renamed = {"title": "After", "year": 1, "genre": "g", "performer": "p"}
    assert client.call("PUT", f"/songs/{song_id}", renamed).status_code == 200

    for playlist_id in playlists:
        wait_until(lambda each=playlist_id: client.songs_in(each, alice)[0]["title"] == "After", 2)


def test_a_deleted_song_leaves_playlists_but_not_their_activities(client: Any, alice: Any) -> None:
    song_id, playlist_id = client.song("Gone"), client.playlist(alice)
    client.add(playlist_id, song_id, alice)
    client.songs_in(playlist_id, alice)

    assert client.call("DELETE", f"/songs/{song_id}").status_code == 200

    again = client.call("POST", f"/playlists/{client.playlist(alice)}/songs", {"songId": song_id}, alice)
    assert again.status_code == 404
    wait_until(lambda: client.songs_in(playlist_id, alice) == [], 2)
    activities = client.call("GET", f"/playlists/{playlist_id}/activities", user=alice).json()["data"]["activities"]
    assert [(each["title"], each["action"]) for each in activities] == [("Gone", "add")]


def test_service_ports_and_internal_routes_trust_nobody(stack: Any) -> None:
    playlists = plain_http.get(f"{stack.service_url('playlist')}/playlists")
    assert (playlists.status_code, playlists.json()["status"]) == (401, "fail")
    for service, path in [
        ("auth", "/internal/users/user-x"),
        ("catalog", "/internal/songs/song-x"),
        ("playlist", "/internal/playlists/playlist-x"),
    ]:
        for headers in ({}, {"X-Service-Credential": "guess"}):
            answer = plain_http.get(f"{stack.service_url(service)}{path}", headers=headers)
            assert answer.status_code == 401


@pytest.fixture
def export(client: Any, alice: Any) -> Callable[[str], None]:
    playlist_id = client.playlist(alice, "Exported")
    client.add(playlist_id, client.song(), alice)

    def request(address: str) -> None:
        answer = client.call("POST", f"/export/playlists/{playlist_id}", {"targetEmail": address}, alice)
        assert answer.status_code == 201

    return request


def test_no_export_is_lost_when_the_worker_is_killed(
    stack: Any, export: Any, mails: Callable[[str], list[Any]]
) -> None:
    address = "killed@worker.test"
    stack.stop_process("export-worker")
    for _ in range(200):
        export(address)
    stack.start_process("export-worker")
    wait_until(lambda: len(mails(address)) > 5)
    stack.kill("export-worker")  # the supervisor starts it again

    wait_until(lambda: len({mail["headers"]["message-id"] for mail in mails(address)}) == 200, 60)


def test_exports_wait_for_the_broker(stack: Any, export: Any, mails: Callable[[str], list[Any]]) -> None:
    address = "late@broker.test"
    stack.stop_process("rabbitmq")
    for _ in range(50):
        export(address)
    stack.start_process("rabbitmq")

    wait_until(lambda: len({mail["headers"]["message-id"] for mail in mails(address)}) == 50, 60)
