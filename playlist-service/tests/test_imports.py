"""A playlist is made from a file: all of it, or nothing."""

import asyncio
import json
from typing import Any

import pytest

from openmusic_kit.ids import new_id
from openmusic_playlist.imports.service import SHOWN
from openmusic_testkit.waiting import eventually

IMPORT = "/playlists/import"


def csv_of(*rows: str) -> bytes:
    return "\n".join(["id,title,performer", *rows]).encode()


async def imported(person: Any, content: bytes, media_type: str = "text/csv", query: str = "", **more: str) -> Any:
    answer = await person.upload(IMPORT + query, content, media_type, **more)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["status"], body["message"]) == ("success", "Playlist imported")
    assert answer.headers["Location"] == f"/playlists/{body['data']['playlistId']}"
    return body["data"]


async def songs_of(person: Any, playlist_id: str) -> list[str]:
    answer = await person.call("GET", f"/playlists/{playlist_id}/songs")
    return [song["id"] for song in answer.json()["data"]["playlist"]["songs"]]


async def playlists_of(person: Any) -> list[str]:
    return [each["name"] for each in (await person.call("GET", "/playlists")).json()["data"]["playlists"]]


async def test_songs_are_found_by_id_then_by_title_and_performer_and_keep_their_order(peers: Any, alice: Any) -> None:
    one, two, three = (peers.add_song(title, "Coldplay") for title in ("One", "Two", "Three"))
    gone = new_id("song")

    found = await imported(
        alice, csv_of(f"{three},wrong,wrong", f"{gone},TWO,coldplay", ",One,Coldplay", f"{gone},x,y")
    )

    assert await songs_of(alice, found.pop("playlistId")) == [three, two, one]
    missing = [{"position": 4, "title": "x", "performer": "y"}]
    assert found == {"added": 3, "duplicates": 0, "notFound": 1, "missing": missing}
    assert await playlists_of(alice) == ["Imported playlist"]


async def test_a_song_that_two_rows_name_is_added_once_where_it_comes_first(peers: Any, alice: Any) -> None:
    one, two = peers.add_song("One"), peers.add_song("Two")

    found = await imported(alice, csv_of(f"{two},,", f"{one},,", ",two,COLDPLAY", f"{two},,"))

    assert await songs_of(alice, found["playlistId"]) == [two, one]
    assert (found["added"], found["duplicates"], found["notFound"]) == (2, 2, 0)


async def test_the_oldest_of_equal_songs_is_taken_and_the_likeliest_reading(peers: Any, alice: Any) -> None:
    peers.add_song("DC - Jailbreak", "AC")
    first = peers.add_song("Jailbreak", "AC - DC")
    peers.songs.pop(next(iter(peers.songs)))
    peers.add_song("Jailbreak", "AC - DC")

    found = await imported(alice, b"#EXTM3U\n#EXTINF:1,AC - DC - Jailbreak\n1.mp3\n", "audio/x-mpegurl")

    assert await songs_of(alice, found["playlistId"]) == [first]


@pytest.mark.parametrize(
    ("query", "expected"), [("", "File's"), ("?name=Mine", "Mine"), ("?name=%20", "File's"), ("?name=", "File's")]
)
async def test_a_name_that_is_given_goes_before_that_of_the_file(alice: Any, query: str, expected: str) -> None:
    file = json.dumps({"playlist": {"name": "File's", "songs": []}}).encode()
    await imported(alice, file, "application/json", query)
    assert await playlists_of(alice) == [expected]


async def test_the_format_in_the_query_goes_before_the_media_type(peers: Any, alice: Any) -> None:
    song = peers.add_song("One")
    found = await imported(alice, csv_of(f"{song},,"), "application/json", "?format=csv")
    assert await songs_of(alice, found["playlistId"]) == [song]


@pytest.mark.parametrize(
    ("query", "media_type", "content", "code"),
    [
        ("", "text/plain", b"x", "format_unknown"),
        ("?format=zip", "text/csv", b"title", "invalid"),
        ("?name=" + "x" * 1001, "text/csv", b"title", "invalid"),
        ("?name=%00", "text/csv", b"title", "invalid"),
        ("", "text/csv", b"", "file_invalid"),
        ("", "application/json", b"{", "file_invalid"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    alice: Any, query: str, media_type: str, content: bytes, code: str
) -> None:
    answer = await alice.upload(IMPORT + query, content, media_type, Accept="application/problem+json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    plain = await alice.upload(IMPORT + query, content, media_type)
    assert plain.json().keys() == {"status", "message"}
    assert await playlists_of(alice) == []


async def test_who_has_no_token_is_told_so_before_the_file_is_looked_at(client: Any) -> None:
    assert (await client.post(IMPORT, content=b"\x1f\x8b", headers={"Content-Type": "x"})).status_code == 401


async def test_a_large_file_is_taken_and_a_larger_one_refused(alice: Any) -> None:
    file = b'{"playlist": {"songs": []}}'
    await imported(alice, file.ljust(8_388_608), "application/json")
    answer = await alice.upload(IMPORT, file.ljust(8_388_609), "application/json")
    assert (answer.status_code, answer.json()["message"]) == (
        413,
        "The request body is too large: at most 8388608 bytes",
    )
    assert (await alice.upload("/playlists", b" " * 1_048_577, "application/json")).status_code == 413


async def test_the_report_is_bounded_and_requests_to_the_catalogue_are(peers: Any, alice: Any) -> None:
    rows = [f",{number}{'x' * 300},y" for number in range(1234)]

    found = await imported(alice, csv_of(*rows))

    assert (found["added"], found["notFound"], len(found["missing"])) == (0, 1234, SHOWN)
    assert found["missing"][1] == {"position": 2, "title": f"1{'x' * 199}", "performer": "y"}
    assert sum(peers.wanted) == 1234
    assert max(peers.wanted) <= 200  # of 300 characters and more


async def test_texts_that_no_song_can_have_are_not_asked_for(peers: Any, alice: Any) -> None:
    found = await imported(alice, csv_of(f",{'x' * 1001},y", ",,y", ",x,", ", ,y"))
    assert (found["notFound"], peers.wanted) == (4, [])


async def test_each_song_has_an_activity_as_in_a_batch(peers: Any, alice: Any) -> None:
    songs = [peers.add_song(title) for title in "ba"]
    found = await imported(alice, csv_of(*(f"{song},," for song in songs)))
    activities = await alice.activities(found["playlistId"])
    assert [(each["username"], each["action"], each["title"]) for each in activities] == [
        ("alice", "add", "b"),
        ("alice", "add", "a"),
    ]


async def test_the_list_of_playlists_is_outdated(alice: Any) -> None:
    answer = await alice.upload(IMPORT, csv_of(), "text/csv")
    assert answer.headers["Cache-Purge"] == f"playlists:{alice.id}"


async def test_a_repeat_gets_the_first_answer_and_makes_nothing(peers: Any, alice: Any) -> None:
    content, key = csv_of(f"{peers.add_song('One')},,", ",x,y"), {"Idempotency-Key": new_id("key")}

    first = await imported(alice, content, **key)
    peers.add_song("x", "y")

    assert await imported(alice, content, **key) == first
    assert await playlists_of(alice) == ["Imported playlist"]
    other = await alice.upload(IMPORT, content + b"\n,z,z", "text/csv", **key)
    assert other.status_code == 400


async def test_without_the_catalogue_known_songs_are_found_by_id_and_nothing_else_is(peers: Any, alice: Any) -> None:
    known = peers.add_song("One")
    await alice.add(await alice.add_playlist("Before"), known)
    peers.down.add("songs")

    found = await imported(alice, csv_of(f"{known},,"))
    assert await songs_of(alice, found["playlistId"]) == [known]
    answer = await alice.upload(IMPORT, csv_of(f"{known},,", ",One,Coldplay"), "text/csv")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert await playlists_of(alice) == ["Before", "Imported playlist"]


async def test_a_user_who_was_deleted_imports_nothing(peers: Any, alice: Any, connection: Any) -> None:
    before = await alice.add_playlist()
    await connection.execute("UPDATE users SET deleted = true WHERE id = %s", [alice.id])
    assert (await alice.upload(IMPORT, csv_of(f"{peers.add_song()},,"), "text/csv")).status_code == 401
    rows = await connection.execute("SELECT id FROM playlists WHERE owner_id = %s", [alice.id])
    assert await rows.fetchall() == [{"id": before}]


async def test_a_song_that_is_deleted_meanwhile_is_not_found(
    peers: Any, alice: Any, connection: Any, blocked: Any
) -> None:
    kept, gone = peers.add_song("Kept"), peers.add_song("Gone")
    before = await alice.add_playlist("Before")
    assert (await alice.add(before, kept), await alice.add(before, gone)) == (201, 201)
    async with connection.transaction():
        await connection.execute("UPDATE songs SET deleted = true WHERE id = %s", [gone])
        importing = asyncio.create_task(imported(alice, csv_of(f"{gone},a,b", f"{kept},c,d")))
        await eventually(blocked(1))

    found = await importing

    assert await songs_of(alice, found["playlistId"]) == [kept]
    assert found["missing"] == [{"position": 1, "title": "a", "performer": "b"}]
    assert await playlists_of(alice) == ["Before", "Imported playlist"]


async def test_nothing_is_kept_of_an_import_that_is_cut_off(
    peers: Any, alice: Any, connection: Any, blocked: Any
) -> None:
    song = peers.add_song("One")
    await alice.add(await alice.add_playlist("Before"), song)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM songs WHERE id = %s FOR UPDATE", [song])
        importing = asyncio.create_task(alice.upload(IMPORT, csv_of(f"{song},,"), "text/csv"))
        await eventually(blocked(1))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        assert (await importing).status_code == 503

    assert await playlists_of(alice) == ["Before"]
    rows = await connection.execute("SELECT title FROM activities WHERE user_id = %s", [alice.id])
    assert await rows.fetchall() == [{"title": "One"}]
