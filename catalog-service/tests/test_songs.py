import uuid
from typing import Any

import httpx
import pytest

from openmusic_catalog.listing.sorting import parse_sort
from openmusic_catalog.songs.repository import SongFilter, SongRepository
from openmusic_kit.ids import new_id

GOOD = {"title": "Clocks", "year": 2002, "genre": "Pop", "performer": "Coldplay"}


async def test_a_song_can_be_read_back_whole(client: httpx.AsyncClient, add_album: Any, add_song: Any) -> None:
    album_id = await add_album()
    song_id = await add_song(**GOOD, duration=307, albumId=album_id)

    answer = await client.get(f"/songs/{song_id}")

    expected = {"id": song_id, **GOOD, "duration": 307, "albumId": album_id}
    assert answer.json() == {"status": "success", "data": {"song": expected}}


async def test_what_an_update_leaves_out_becomes_null(client: httpx.AsyncClient, add_album: Any, add_song: Any) -> None:
    song_id = await add_song(albumId=await add_album())

    assert (await client.put(f"/songs/{song_id}", json=GOOD)).status_code == 200

    song = (await client.get(f"/songs/{song_id}")).json()["data"]["song"]
    assert song == {"id": song_id, **GOOD, "duration": None, "albumId": None}


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": 1},
        {"title": None},
        {"title": ""},
        {"year": "dummy"},
        {"year": 2008.5},
        {"year": -(2**31) - 1},
        {"genre": 5},
        {"performer": True},
        {"duration": "120"},
        {"duration": -1},
        {"duration": 2**31},
        {"albumId": 7},
    ],
)
async def test_a_song_that_makes_no_sense_is_refused(client: httpx.AsyncClient, add_song: Any, wrong: Any) -> None:
    song_id = await add_song()

    for answer in (
        await client.post("/songs", json=GOOD | wrong),
        await client.put(f"/songs/{song_id}", json=GOOD | wrong),
    ):
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["message"]


@pytest.mark.parametrize("field", GOOD)
async def test_each_field_but_duration_and_album_is_needed(client: httpx.AsyncClient, field: str) -> None:
    answer = await client.post("/songs", json={name: value for name, value in GOOD.items() if name != field})

    assert answer.status_code == 400


@pytest.mark.parametrize("album_id", ["xxx", "album-" + "0" * 32, "a" * 300, "album-\0", "\x80é🎵"])
async def test_a_song_of_an_unknown_album_is_refused(client: httpx.AsyncClient, add_song: Any, album_id: str) -> None:
    song_id = await add_song()

    created = await client.post("/songs", json={**GOOD, "albumId": album_id})
    moved = await client.put(f"/songs/{song_id}", json={**GOOD, "albumId": album_id})

    assert (created.status_code, moved.status_code) == (404, 404)


@pytest.mark.parametrize("odd_id", ["xxx", "b" * 300, "%00", "..%2f"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_id_of_any_text_is_not_found(client: httpx.AsyncClient, method: str, odd_id: str) -> None:
    assert (await client.request(method, f"/songs/{odd_id}", json=GOOD)).status_code == 404


async def test_search_finds_parts_of_words_in_any_case_and_takes_signs_literally(
    client: httpx.AsyncClient, add_song: Any
) -> None:
    mark = uuid.uuid4().hex
    life = await add_song(title=f"Life in {mark} Technicolor", performer="Coldplay")
    percent = await add_song(title=f"100%_{mark}", performer="Somebody")

    async def found(**query: str) -> list[str]:
        return [song["id"] for song in (await client.get("/songs", params=query)).json()["data"]["songs"]]

    assert await found(title=mark.upper()) == [life, percent]
    assert await found(title=mark, performer="cold") == [life]
    assert await found(title=f"%_{mark}") == [percent]
    assert await found(title=f"Life%{mark}") == []
    assert await found(title=mark, performer="LD") == [life]
    assert await found(title="%_", performer="s") == [percent]
    assert await found(title="_%", performer="s") == []
    assert await found(title=mark, performer="nobody") == []


async def test_pages_follow_each_other_until_the_end(client: httpx.AsyncClient, add_song: Any) -> None:
    mark = uuid.uuid4().hex
    songs = [await add_song(title=f"{mark} {number}") for number in range(5)]

    answer = await client.get("/songs", params={"title": mark, "limit": 2})
    seen = [song["id"] for song in answer.json()["data"]["songs"]]
    pages = 1
    while "next" in answer.links:
        answer = await client.get(answer.links["next"]["url"])
        seen += [song["id"] for song in answer.json()["data"]["songs"]]
        pages += 1

    assert seen == songs
    assert pages == 3


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=%25%25", "cursor=AA", "title=%00"])
async def test_a_query_that_makes_no_sense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/songs?{query}")).status_code == 400


async def test_the_internal_copy_carries_the_version(client: httpx.AsyncClient, add_song: Any) -> None:
    song_id = await add_song(**GOOD)
    await client.put(f"/songs/{song_id}", json=GOOD | {"title": "Clocks (live)"})

    answer = await client.get(f"/internal/songs/{song_id}", headers={"X-Service-Credential": "the-shared-credential"})

    expected = {"id": song_id, "title": "Clocks (live)", "performer": "Coldplay", "version": 2}
    assert answer.json()["data"] == expected


async def test_other_services_read_copies_of_the_songs_that_they_name(client: httpx.AsyncClient, add_song: Any) -> None:
    trusted = {"X-Service-Credential": "the-shared-credential"}
    first, second, _ = [await add_song(**GOOD | {"title": f"Song {number}"}) for number in range(3)]
    missing = new_id("song")

    answer = await client.get(f"/internal/songs/by-ids?ids={second},{missing},{first},x", headers=trusted)

    copies = [(song["id"], song["title"], song["version"]) for song in answer.json()["data"]["songs"]]
    assert sorted(copies) == [(first, "Song 0", 1), (second, "Song 1", 1)]
    assert (await client.get(f"/internal/songs/by-ids?ids={first}")).status_code == 401
    for query in ("", "?ids=%00"):
        assert (await client.get(f"/internal/songs/by-ids{query}", headers=trusted)).status_code == 400


async def test_other_services_read_copies_of_all_songs_page_by_page(client: httpx.AsyncClient, add_song: Any) -> None:
    trusted = {"X-Service-Credential": "the-shared-credential"}
    ids = [await add_song(**GOOD | {"title": f"Song {number}"}) for number in range(3)]

    page = (await client.get("/internal/songs", params={"after": ids[0], "limit": 1}, headers=trusted)).json()
    rest = (await client.get("/internal/songs", params={"after": ids[1]}, headers=trusted)).json()

    assert page["data"] == {"songs": [{"id": ids[1], "title": "Song 1", "performer": "Coldplay", "version": 1}]}
    assert [song["id"] for song in rest["data"]["songs"]] == [ids[2]]
    assert (await client.get("/internal/songs")).status_code == 401
    for query in ("limit=0", "limit=1001", "after=%00"):
        assert (await client.get(f"/internal/songs?{query}", headers=trusted)).status_code == 400


async def test_a_rare_text_of_any_length_is_found_through_an_index_among_many(connection: Any) -> None:
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY songs (id, title, year, genre, performer) FROM STDIN") as copy:
            for number in range(20_000):
                await copy.write_row((new_id("song"), f"Number {number}", 1, "g", f"Somebody {number}"))
            await copy.write_row((new_id("song"), "Çz Ж ?!", 1, "g", "Ÿ&"))
        await cursor.execute("VACUUM ANALYZE songs")
    songs = SongRepository(connection)

    for title, performer, index in (
        ("NUMBER 12345", "", "songs_by_title_trigrams"),
        ("number", "SOMEBODY 12345", "songs_by_performer_trigrams"),
        ("ж", "", "songs_by_title_grams"),
        ("çz", "", "songs_by_title_grams"),
        (" ?!", "", "songs_by_title_grams"),
        ("", "ÿ&", "songs_by_performer_grams"),
    ):
        async with connection.transaction():
            found = await songs.search(SongFilter(title, performer), parse_sort(""), (), limit=1001)
            cursor = await connection.execute("SELECT pg_stat_get_xact_numscans(%s::regclass) AS scans", (index,))
            assert (await cursor.fetchone())["scans"] > 0, (title, performer)
        assert len(found) == 1
