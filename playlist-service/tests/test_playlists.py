from typing import Any

import httpx
import pytest

from openmusic_kit.ids import new_id

TRUSTED = {"X-Service-Credential": "the-shared-credential"}
ODD_IDS = ["xxx", "x" * 300, "%00", "..%2f", "playlist-", "playlist-" + "0" * 32]


async def test_a_playlist_is_listed_for_its_owner_only(alice: Any, bob: Any) -> None:
    playlist_id = await alice.add_playlist("Rainy days")

    mine, others = await alice.call("GET", "/playlists"), await bob.call("GET", "/playlists")

    listed = [{"id": playlist_id, "name": "Rainy days", "username": "alice"}]
    assert mine.status_code == 200
    assert mine.json() == {"status": "success", "data": {"playlists": listed}}
    assert others.json() == {"status": "success", "data": {"playlists": []}}


async def test_a_new_playlist_is_answered_with_its_id_and_a_message(alice: Any) -> None:
    answer = await alice.call("POST", "/playlists", {"name": "Rainy days", "extra": 1})

    assert answer.status_code == 201
    assert answer.json()["status"] == "success"
    assert answer.json()["message"]
    assert answer.json()["data"]["playlistId"].startswith("playlist-")


async def test_the_list_holds_what_others_share_with_me(alice: Any, bob: Any) -> None:
    own, shared = await bob.add_playlist("His"), await alice.add_playlist("Hers")
    assert await alice.share(shared, bob) == 201

    listed = (await bob.call("GET", "/playlists")).json()["data"]["playlists"]

    assert listed == [
        {"id": own, "name": "His", "username": "bob"},
        {"id": shared, "name": "Hers", "username": "alice"},
    ]


async def test_the_list_is_paged_by_a_link_to_what_comes_next(alice: Any) -> None:
    expected = [await alice.add_playlist(str(number)) for number in range(5)]
    found, sizes, path = [], [], "/playlists?limit=2"
    while path:
        answer = await alice.call("GET", path)
        page = answer.json()["data"]["playlists"]
        found += [playlist["id"] for playlist in page]
        sizes.append(len(page))
        path = answer.links.get("next", {}).get("url", "")

    assert found == expected
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "cursor=%21", "cursor=AA"])
async def test_a_page_that_makes_no_sense_is_refused(alice: Any, query: str) -> None:
    answer = await alice.call("GET", f"/playlists?{query}")

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"


@pytest.mark.parametrize(
    "body", [None, [], {}, {"name": 1}, {"name": True}, {"name": ""}, {"name": "  "}, {"name": None}, {"name": "\0"}]
)
async def test_a_playlist_needs_a_name(alice: Any, body: Any) -> None:
    answer = await alice.call("POST", "/playlists", body)

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"
    assert answer.json()["message"]


async def test_only_its_owner_deletes_a_playlist(alice: Any, bob: Any, person: Any) -> None:
    playlist_id, stranger = await alice.add_playlist(), person("eve")
    await alice.share(playlist_id, bob)

    refused = [(await each.call("DELETE", f"/playlists/{playlist_id}")).status_code for each in (bob, stranger)]
    deleted = await alice.call("DELETE", f"/playlists/{playlist_id}")

    assert refused == [403, 403]
    assert deleted.status_code == 200
    assert deleted.json()["message"]
    assert (await alice.call("DELETE", f"/playlists/{playlist_id}")).status_code == 404
    assert (await bob.call("GET", "/playlists")).json()["data"]["playlists"] == []


async def test_a_deleted_playlist_takes_all_that_is_in_it_along(
    peers: Any, alice: Any, bob: Any, connection: Any
) -> None:
    playlist_id = await alice.add_playlist()
    await alice.share(playlist_id, bob)
    await alice.add(playlist_id, peers.add_song())

    await alice.call("DELETE", f"/playlists/{playlist_id}")

    for table in ("playlist_songs", "collaborations", "activities"):
        left = await connection.execute(f"SELECT 1 FROM {table} WHERE playlist_id = %s", [playlist_id])  # noqa: S608
        assert await left.fetchall() == []


@pytest.mark.parametrize("playlist_id", ODD_IDS)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "", None),
        ("POST", "/songs", {"songId": "song-x"}),
        ("GET", "/songs", None),
        ("DELETE", "/songs", {"songId": "song-x"}),
        ("GET", "/activities", None),
    ],
)
async def test_an_unknown_playlist_is_not_found(
    alice: Any, method: str, path: str, body: Any, playlist_id: str
) -> None:
    answer = await alice.call(method, f"/playlists/{playlist_id}{path}", body)

    assert answer.status_code == 404
    assert answer.json()["status"] == "fail"


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x.y.z", "Basic abc"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/playlists"),
        ("GET", "/playlists"),
        ("DELETE", "/playlists/xxx"),
        ("POST", "/playlists/xxx/songs"),
        ("GET", "/playlists/xxx/songs"),
        ("DELETE", "/playlists/xxx/songs"),
        ("GET", "/playlists/xxx/activities"),
        ("POST", "/collaborations"),
        ("DELETE", "/collaborations"),
    ],
)
async def test_nobody_gets_in_without_a_token_whatever_they_send(
    client: httpx.AsyncClient, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    answer = await client.request(method, path, json={"songId": 123}, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["status"] == "fail"


async def test_the_owner_and_the_content_are_told_to_other_services(
    client: httpx.AsyncClient, peers: Any, alice: Any
) -> None:
    playlist_id, song_id = await alice.add_playlist("Export me"), peers.add_song("Talk", "Coldplay")
    await alice.add(playlist_id, song_id)

    owner = await client.get(f"/internal/playlists/{playlist_id}/owner", headers=TRUSTED)
    whole = await client.get(f"/internal/playlists/{playlist_id}", headers=TRUSTED)

    assert owner.json()["data"] == {"ownerId": alice.id}
    songs = [{"id": song_id, "title": "Talk", "performer": "Coldplay"}]
    assert whole.json()["data"] == {"id": playlist_id, "name": "Export me", "songs": songs}


@pytest.mark.parametrize("path", ["", "/owner"])
async def test_internal_routes_refuse_without_the_credential_and_know_no_odd_ids(
    client: httpx.AsyncClient, alice: Any, path: str
) -> None:
    playlist_id = await alice.add_playlist()

    assert (await client.get(f"/internal/playlists/{playlist_id}{path}")).status_code == 401
    assert (await alice.call("GET", f"/internal/playlists/{playlist_id}{path}")).status_code == 401
    for odd in ("xxx", new_id("playlist")):
        assert (await client.get(f"/internal/playlists/{odd}{path}", headers=TRUSTED)).status_code == 404
